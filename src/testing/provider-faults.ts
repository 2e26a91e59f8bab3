import { type Duration, durationMs, integerIn, knownKeys, numberIn, OptionError, oneOf } from "../core/index.ts";

/** How a 429 tells when to come back. `date` is an HTTP date, `text` only the words "Please try again in ..." */
export type RetryHint = "seconds" | "date" | "milliseconds" | "text" | "none";

/**
 * What goes wrong with one request.
 *
 * Before the provider looks at the request (nothing is charged):
 * - `refused`: no connection. `reset` without `afterChunks`: the connection breaks before the head.
 * - `silent` (`at: "head"`, the default): never answers.
 * - `rateLimited`: 429, told as `hint` says (default `seconds`), `wait` from now (default 1 s).
 * - `quotaExhausted`: 429 `insufficient_quota`. `badCredential`: 401.
 * - `overloaded`: 503 or 529 (default 503). `status`: any status from 400 to 599.
 * - `wrongContentType`: 200 with an HTML page.
 *
 * After it was admitted and charged:
 * - `slowStart`, `slowTokens`: `factor` times the time to the first token, or between tokens (default 10).
 * - `silent` with `at: "body"`: the head, then nothing. `keepaliveOnly`: comments only, one `every` (default 1 s).
 * - `errorBeforeContent`: a 200 whose stream begins with an error. `badJson`: a 200 whose JSON is cut.
 * - `reset` with `afterChunks`, `cut`, `cutWithError`, `malformedEvent`: after that many content events of a stream
 *   (default 3) the connection breaks, the body ends without its last event, an error event ends it, or one line
 *   that is not JSON comes in between. In an answer that is not streamed: a reset, a cut JSON, or an `error` in the
 *   200 body in the middle of the body.
 * - `contentFilter`, `lengthFinish`: the answer ends early with that reason.
 */
export type ProviderFault =
  | { readonly kind: BareKind }
  | { readonly kind: "reset" | "cut" | "cutWithError" | "malformedEvent"; readonly afterChunks?: number }
  | { readonly kind: "silent"; readonly at?: "head" | "body" }
  | { readonly kind: "rateLimited"; readonly wait?: Duration; readonly hint?: RetryHint }
  | { readonly kind: "overloaded"; readonly status?: 503 | 529; readonly wait?: Duration; readonly hint?: RetryHint }
  | { readonly kind: "status"; readonly status: number }
  | { readonly kind: "slowStart" | "slowTokens"; readonly factor?: number }
  | { readonly kind: "keepaliveOnly"; readonly every?: Duration };

type BareKind =
  | "refused"
  | "quotaExhausted"
  | "badCredential"
  | "wrongContentType"
  | "errorBeforeContent"
  | "badJson"
  | "contentFilter"
  | "lengthFinish";

export type ProviderFaultKind = ProviderFault["kind"];

/** A fault, or the word alone where its defaults will do. */
export type FaultSpec = ProviderFault | Exclude<ProviderFaultKind, "status">;

/** What a fault function is told of a request. */
export interface FaultRequest {
  /** 0 for the first request. */
  readonly index: number;
  /** Milliseconds since the provider was made. */
  readonly at: number;
  readonly path: string;
  readonly model: string;
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string>>;
  /** The body as it was received. */
  readonly body: string;
  /** A number in [0, 1) that depends on the seed and the index: `chance < 0.05` is five percent of the requests. */
  readonly chance: number;
}

export type FaultFunction = (request: FaultRequest) => FaultSpec | undefined;

/** A fault that lasts: for every request from `from` until before `to`, counted from when the provider was made. */
export interface FaultWindow {
  readonly from: Duration;
  readonly to: Duration;
  readonly fault: FaultSpec | FaultFunction;
}

/**
 * Either a function, or a list. In a list the n-th fault is for the n-th request (`undefined`: none), and windows,
 * which may stand anywhere in it and are not counted, come first.
 */
export type FaultScript = FaultFunction | readonly (FaultSpec | FaultWindow | undefined)[];

/** A fault that has been read: every detail present. */
export interface ReadFault {
  readonly kind: ProviderFaultKind;
  readonly at: "head" | "body";
  readonly afterChunks: number | undefined;
  readonly waitMs: number;
  readonly hint: RetryHint;
  readonly status: number;
  readonly factor: number;
  readonly everyMs: number;
}

type Choice = (request: FaultRequest) => ReadFault | undefined;

const DETAILS: Record<ProviderFaultKind, readonly string[]> = {
  refused: [],
  reset: ["afterChunks"],
  silent: ["at"],
  rateLimited: ["wait", "hint"],
  quotaExhausted: [],
  badCredential: [],
  overloaded: ["status", "wait", "hint"],
  status: ["status"],
  wrongContentType: [],
  slowStart: ["factor"],
  slowTokens: ["factor"],
  keepaliveOnly: ["every"],
  errorBeforeContent: [],
  badJson: [],
  cut: ["afterChunks"],
  cutWithError: ["afterChunks"],
  malformedEvent: ["afterChunks"],
  contentFilter: [],
  lengthFinish: [],
};

const KINDS = Object.keys(DETAILS) as ProviderFaultKind[];
const HINTS = ["seconds", "date", "milliseconds", "text", "none"] as const;
const AFTER_CHUNKS = 3;

/** Reads a fault. Throws {@link OptionError} naming `option`. */
function readFault(option: string, spec: FaultSpec): ReadFault {
  const given: Record<string, unknown> = typeof spec === "string" ? { kind: spec } : { ...spec };
  const kind = oneOf(`${option}.kind`, given["kind"], KINDS);
  knownKeys(option, given, ["kind", ...DETAILS[kind]]);
  const { at, afterChunks, wait, hint, status, factor, every } = given;
  return {
    kind,
    at: at === undefined ? "head" : oneOf(`${option}.at`, at, ["head", "body"]),
    afterChunks: readAfterChunks(option, kind, afterChunks),
    waitMs: wait === undefined ? 1000 : durationMs(`${option}.wait`, wait),
    hint: hint === undefined ? (kind === "overloaded" ? "none" : "seconds") : oneOf(`${option}.hint`, hint, HINTS),
    status: status === undefined && kind !== "status" ? 503 : integerIn(`${option}.status`, status, 400, 599),
    factor: factor === undefined ? 10 : numberIn(`${option}.factor`, factor, 0, 1e6),
    everyMs: every === undefined ? 1000 : durationMs(`${option}.every`, every, { min: 1 }),
  };
}

// A reset without it comes before the head; the others need a number.
function readAfterChunks(option: string, kind: ProviderFaultKind, value: unknown): number | undefined {
  if (value !== undefined) return integerIn(`${option}.afterChunks`, value, 0);
  return kind === "reset" ? undefined : AFTER_CHUNKS;
}

/** Reads a fault or a function that gives one. */
export function readFaultChoice(option: string, fault: FaultSpec | FaultFunction): Choice {
  if (typeof fault !== "function") {
    const read = readFault(option, fault);
    return () => read;
  }
  return (request) => {
    const spec = fault(request);
    return spec === undefined ? undefined : readFault(option, spec);
  };
}

/** Reads a script. Throws {@link OptionError} naming `option`. */
export function readFaultScript(option: string, script: FaultScript): Choice {
  if (typeof script === "function") return readFaultChoice(option, script);
  if (!Array.isArray(script)) throw new OptionError(option, script, "a function, or a list of faults and windows");
  const windows: { fromMs: number; toMs: number; choice: Choice }[] = [];
  const sequence: (ReadFault | undefined)[] = [];
  for (const [index, entry] of (script as readonly (FaultSpec | FaultWindow | undefined)[]).entries()) {
    const name = `${option}[${index}]`;
    if (entry === undefined) sequence.push(undefined);
    else if (typeof entry === "string" || !("from" in entry)) sequence.push(readFault(name, entry));
    else windows.push(readWindow(name, entry));
  }
  return (request) => {
    const open = windows.find(({ fromMs, toMs }) => request.at >= fromMs && request.at < toMs);
    return open?.choice(request) ?? sequence[request.index];
  };
}

function readWindow(option: string, window: FaultWindow) {
  knownKeys(option, window, ["from", "to", "fault"]);
  const fromMs = durationMs(`${option}.from`, window.from);
  const toMs = durationMs(`${option}.to`, window.to, { min: fromMs });
  return { fromMs, toMs, choice: readFaultChoice(`${option}.fault`, window.fault) };
}
