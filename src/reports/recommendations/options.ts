import type { Line } from "../../core/index.ts";

/** An option that can be read from a running line and changed in it. */
interface LineOption {
  readonly policy: string;
  /** What it is, in the policy's snapshot; `undefined` when it is off or not told. */
  readonly read: (snapshot: Readonly<Record<string, unknown>>) => unknown;
  /** The same as an option for `update`. */
  readonly write: (value: number) => object;
  /** Given in place of a value that is off. */
  readonly off?: number;
  readonly whole: boolean;
}

const limitsOf = (snapshot: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> =>
  (snapshot["limits"] ?? {}) as Readonly<Record<string, unknown>>;

/** The options that recommendations change. */
export const LINE_OPTIONS = {
  "timeout.attempt": {
    policy: "timeout",
    read: (snapshot) => limitsOf(snapshot)["attempt"],
    write: (attempt) => ({ attempt }),
    whole: true,
  },
  "timeout.firstToken": {
    policy: "timeout",
    read: (snapshot) => limitsOf(snapshot)["firstToken"],
    write: (firstToken) => ({ firstToken }),
    whole: true,
  },
  "retry.attempts": {
    policy: "retry",
    read: ({ attempts }) => attempts,
    write: (attempts) => ({ attempts }),
    whole: true,
  },
  "hedge.budget": {
    policy: "hedge",
    read: ({ budget }) => budget,
    write: (budget) => ({ budget }),
    whole: false,
  },
  "pool.concurrency": {
    policy: "pool",
    read: ({ concurrency }) => concurrency,
    write: (concurrency) => ({ concurrency }),
    whole: true,
  },
  "rateLimit.requestsPerMinute": {
    policy: "rateLimit",
    read: ({ limits }) => requestsPerMinute(limits),
    write: (limit) => ({ requestsPerMinute: limit }),
    // A limit cannot be taken away again, only be made one that nobody meets.
    off: 1_000_000_000,
    whole: true,
  },
  "breaker.minimumCalls": {
    policy: "breaker",
    read: () => undefined,
    write: (minimumCalls) => ({ minimumCalls }),
    whole: true,
  },
} as const satisfies Record<string, LineOption>;

export type LineOptionName = keyof typeof LINE_OPTIONS;

/** What an option of the line is now; `undefined` when its policy is not there, does not tell, or has it off. */
export function optionOf(line: Line, name: LineOptionName): number | undefined {
  const option: LineOption = LINE_OPTIONS[name];
  const policy = policyOf(line, option.policy);
  if (policy?.snapshot === undefined) return undefined;
  const value = option.read(policy.snapshot());
  return typeof value === "number" && value !== option.off ? value : undefined;
}

/** Whether the option can be changed and changed back. */
export function isReversible(line: Line, name: LineOptionName): boolean {
  const option: LineOption = LINE_OPTIONS[name];
  return (
    policyOf(line, option.policy) !== undefined && (optionOf(line, name) !== undefined || option.off !== undefined)
  );
}

/** Changes the option; `undefined` switches it off. Throws `OptionError` when the policy does not take it. */
export function setOption(line: Line, name: LineOptionName, value: number | undefined): void {
  const option: LineOption = LINE_OPTIONS[name];
  const chosen = value ?? option.off;
  if (chosen !== undefined) policyOf(line, option.policy)?.update?.(option.write(chosen));
}

/** As the option takes it. */
export function fittingOption(name: LineOptionName, value: number): number {
  return LINE_OPTIONS[name].whole ? Math.round(value) : value;
}

interface Tunable {
  readonly name: string;
  snapshot?(): Readonly<Record<string, unknown>>;
  update?(options: object): void;
}

function policyOf({ policies }: Line, name: string): Tunable | undefined {
  return policies.find((policy) => policy.name === name) as Tunable | undefined;
}

function requestsPerMinute(limits: unknown): number | undefined {
  if (!Array.isArray(limits)) return undefined;
  const rows = limits as readonly { readonly unit: string; readonly windowMs: number; readonly limit: number }[];
  return rows.find(({ unit, windowMs }) => unit === "requests" && windowMs === 60_000)?.limit;
}
