/** One call, as the log keeps it: its shape and its cost, no word of it. Times are milliseconds. */
export interface CallRow {
  /** Number of the row in its file; later calls have greater ones. */
  readonly id: number;
  /** Id that events carry; unique within one run of a process. */
  readonly callId: string | null;
  /** Since the Unix epoch. */
  readonly startedAt: number;
  readonly op: string | null;
  readonly provider: string | null;
  /** The model that was asked for. */
  readonly model: string | null;
  /** The model that answered, where the answer says so. */
  readonly responseModel: string | null;
  readonly route: string | null;
  /** Only where the log was told to keep it. */
  readonly client: string | null;
  /** `rejected`: by Breakwater itself. */
  readonly outcome: CallOutcome;
  /** A fault kind, such as `rate_limited`; of calls that failed or were rejected. */
  readonly errorType: string | null;
  readonly status: number | null;
  /** Which policy rejected it. */
  readonly refusedBy: string | null;
  /** Requests to the provider. */
  readonly attempts: number;
  /** Those of them that timed out. */
  readonly timeouts: number;
  /** Time of those. */
  readonly timeoutMs: number;
  /** Time of attempts that failed otherwise. */
  readonly failedMs: number;
  /** `primary`, `fallback` or `hedge` of the provider, or `cache` or `coalesced`; of calls that were answered. */
  readonly servedBy: string | null;
  /** The tier of the cache that had the answer. */
  readonly tier: string | null;
  /** The target that a fallback sent it to. */
  readonly target: string | null;
  readonly queueMs: number;
  readonly throttleMs: number;
  readonly rateLimitMs: number;
  readonly backoffMs: number;
  /** To the first content of a streamed answer. */
  readonly ttfcMs: number | null;
  /** With a request at the provider, all attempts. */
  readonly providerMs: number;
  readonly durationMs: number;
  readonly inputTokens: number | null;
  readonly outputTokens: number | null;
  /** Input tokens that the provider had cached. */
  readonly cachedInputTokens: number | null;
  /** Output tokens of reasoning. */
  readonly reasoningTokens: number | null;
  /** US dollars; 0 for an answer that the provider was not asked for. Absent without a price or a usage. */
  readonly cost: number | null;
  readonly stream: boolean;
  /** 0 (first) to 9 (last). */
  readonly priority: number;
  /** One-way name of the prompt template; only where the log was told to keep fingerprints. */
  readonly template: string | null;
  /** One-way name of the question; likewise. */
  readonly question: string | null;
}

export type CallOutcome = "success" | "error" | "cancelled" | "rejected";
export const CALL_OUTCOMES = ["success", "error", "cancelled", "rejected"] as const satisfies CallOutcome[];

type Column = Exclude<keyof CallRow, "id">;

/** Every column with its type in the file, in the order in which rows are written. */
const COLUMN_TYPES: Readonly<Record<Column, "TEXT" | "INTEGER" | "REAL">> = {
  callId: "TEXT",
  startedAt: "INTEGER",
  op: "TEXT",
  provider: "TEXT",
  model: "TEXT",
  responseModel: "TEXT",
  route: "TEXT",
  client: "TEXT",
  outcome: "TEXT",
  errorType: "TEXT",
  status: "INTEGER",
  refusedBy: "TEXT",
  attempts: "INTEGER",
  timeouts: "INTEGER",
  timeoutMs: "REAL",
  failedMs: "REAL",
  servedBy: "TEXT",
  tier: "TEXT",
  target: "TEXT",
  queueMs: "REAL",
  throttleMs: "REAL",
  rateLimitMs: "REAL",
  backoffMs: "REAL",
  ttfcMs: "REAL",
  providerMs: "REAL",
  durationMs: "REAL",
  inputTokens: "INTEGER",
  outputTokens: "INTEGER",
  cachedInputTokens: "INTEGER",
  reasoningTokens: "INTEGER",
  cost: "REAL",
  stream: "INTEGER",
  priority: "INTEGER",
  template: "TEXT",
  question: "TEXT",
};

export const COLUMNS = Object.keys(COLUMN_TYPES) as readonly Column[];
export const ROW_FIELDS: readonly (keyof CallRow)[] = ["id", ...COLUMNS];

/** The version is part of the name: a process of another version finds its own table. */
export const TABLE = "breakwater_calls_1";

export const SCHEMA = `
  CREATE TABLE IF NOT EXISTS ${TABLE} (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    ${COLUMNS.map((column) => `${column} ${COLUMN_TYPES[column]}`).join(", ")}
  );
  CREATE INDEX IF NOT EXISTS ${TABLE}_started ON ${TABLE} (startedAt);
  CREATE INDEX IF NOT EXISTS ${TABLE}_model ON ${TABLE} (model, startedAt);
  CREATE INDEX IF NOT EXISTS ${TABLE}_outcome ON ${TABLE} (outcome, startedAt);
`;

export const INSERT = `INSERT INTO ${TABLE} (${COLUMNS.join(", ")}) VALUES (${COLUMNS.map(() => "?").join(", ")})`;

/** A row as the file has it. */
export function rowOf(record: Readonly<Record<string, unknown>>): CallRow {
  return { ...record, stream: record["stream"] === 1 } as unknown as CallRow;
}
