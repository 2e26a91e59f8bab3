// Brands survive two installed copies of the package, where `instanceof` does not.
const BRAND = Symbol.for("breakwater.error");

/** Base of every error that Breakwater itself makes. */
export class BreakwaterError extends Error {
  readonly [BRAND] = true;
  /** Stable, upper-case, for programs: `OPTION_INVALID`, `QUEUE_FULL` ... */
  readonly code: string;

  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
    this.name = new.target.name;
  }
}

/** True for errors of any installed copy of Breakwater. */
export function isBreakwaterError(error: unknown): error is BreakwaterError {
  return typeof error === "object" && error !== null && BRAND in error;
}

/** An option or argument is wrong. The message names it, shows the value and says what is accepted. */
export class OptionError extends BreakwaterError {
  readonly option: string;
  readonly accepted: string;

  constructor(option: string, value: unknown, accepted: string) {
    super("OPTION_INVALID", `Option "${option}" is ${show(value)}; it accepts ${accepted}.`);
    this.option = option;
    this.accepted = accepted;
  }
}

/** The order of policies in a line cannot work. The message says which and what to do. */
export class PipelineError extends BreakwaterError {
  constructor(message: string) {
    super("PIPELINE_INVALID", message);
  }
}

/** An optional package is not installed. The message names the command that installs it. */
export class MissingPeerError extends BreakwaterError {
  readonly peer: string;

  constructor(peer: string, neededBy: string, cause?: unknown) {
    super("PEER_MISSING", `${neededBy} needs the package "${peer}": run "npm install ${peer}".`, { cause });
    this.peer = peer;
  }
}

/** A store could not do what it was asked: not connected, overloaded, unreadable, closed. `cause` says more. */
export class StoreError extends BreakwaterError {
  constructor(message: string, cause?: unknown) {
    super("STORE_FAILED", message, cause === undefined ? undefined : { cause });
  }
}

/** The optimizer was closed; calls no longer pass. */
export class ClosedError extends BreakwaterError {
  constructor() {
    super("CLOSED", "This optimizer is closed; create a new one to make calls.");
  }
}

/** The provider was too slow: which timer fired and after how long. */
export class UpstreamTimeoutError extends BreakwaterError {
  readonly phase: TimeoutPhase;
  readonly limitMs: number;

  constructor(phase: TimeoutPhase, limitMs: number) {
    super("UPSTREAM_TIMEOUT", `The provider timed out: ${PHASE_WORDS[phase]} within ${Math.round(limitMs)} ms.`);
    this.phase = phase;
    this.limitMs = limitMs;
  }
}

export type TimeoutPhase = "attempt" | "firstToken" | "idle" | "speed";

const PHASE_WORDS: Record<TimeoutPhase, string> = {
  attempt: "no complete answer",
  firstToken: "no first token",
  idle: "no further token",
  speed: "too few tokens",
};

/** The body ended before the provider said that the answer was complete. */
export class StreamInterruptedError extends BreakwaterError {
  constructor(message: string, options?: ErrorOptions) {
    super("STREAM_INTERRUPTED", message, options);
  }
}

const REFUSED_BRAND = Symbol.for("breakwater.refused");

export interface RefusalDetails {
  /** Which policy refused: `rateLimit`, `pool` ... */
  readonly policy: string;
  /** When a new try can succeed, in milliseconds from now; absent if waiting does not help, or nobody can tell. */
  readonly retryAfterMs?: number | undefined;
}

/** Breakwater itself refused the call; the provider was not asked (again). */
export abstract class RefusedError extends BreakwaterError {
  readonly [REFUSED_BRAND] = true;
  readonly policy: string;
  readonly retryAfterMs: number | undefined;
  /** The HTTP status that stands for it where a client expects a response. */
  abstract readonly status: 429 | 503 | 504;

  constructor(code: string, message: string, details: RefusalDetails) {
    super(code, message);
    this.policy = details.policy;
    this.retryAfterMs = details.retryAfterMs;
  }
}

/** True for refusals of any installed copy of Breakwater. */
export function isRefusedError(error: unknown): error is RefusedError {
  return typeof error === "object" && error !== null && REFUSED_BRAND in error;
}

/** A local or learned rate limit has no room within the call's deadline, or too many calls wait for it. */
export class RateLimitError extends RefusedError {
  readonly status = 429;
  constructor(message: string, details: RefusalDetails) {
    super("RATE_LIMITED", message, details);
  }
}

/** The throttle has no permit within the call's deadline, or too many calls wait for one. */
export class ThrottleError extends RefusedError {
  readonly status = 503;
  constructor(message: string, details: RefusalDetails) {
    super("THROTTLED", message, details);
  }
}

/** The circuit breaker is open for this provider, model and credential. */
export class CircuitBreakerOpenError extends RefusedError {
  readonly status = 503;
  constructor(message: string, details: RefusalDetails) {
    super("CIRCUIT_OPEN", message, details);
  }
}

/** The provider fails, and the budget of retries is spent: a retry of the client's own is not sent. */
export class RetryBudgetError extends RefusedError {
  readonly status = 503;
  constructor(message: string, details: RefusalDetails) {
    super("RETRY_BUDGET_SPENT", message, details);
  }
}

/** The waiting queue is full. */
export class QueueFullError extends RefusedError {
  readonly status = 503;
  constructor(message: string, details: RefusalDetails) {
    super("QUEUE_FULL", message, details);
  }
}

/** The call's deadline has passed, or it cannot be met any more. */
export class DeadlineExceededError extends RefusedError {
  readonly status = 504;
  constructor(message: string, details: RefusalDetails) {
    super("DEADLINE_EXCEEDED", message, details);
  }
}

/** A budget has no money left for the call, or cannot tell what it costs. */
export class BudgetExceededError extends RefusedError {
  readonly status = 429;
  constructor(message: string, details: RefusalDetails) {
    super("BUDGET_EXCEEDED", message, details);
  }
}

/** `only-if-cached` was asked for and no tier holds the answer. */
export class NotCachedError extends RefusedError {
  readonly status = 504;
  constructor(message: string, details: RefusalDetails) {
    super("NOT_CACHED", message, details);
  }
}

const SHOWN_LENGTH_MAX = 60;

function show(value: unknown): string {
  if (value === undefined) return "missing";
  if (typeof value === "function") return `the function "${value.name}"`;
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value === "symbol") return String(value);
  if (typeof value === "number") return String(value);
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return describeObject(value);
  let text: string;
  try {
    text = JSON.stringify(value) ?? String(value);
  } catch {
    text = String(value);
  }
  return text.length > SHOWN_LENGTH_MAX ? `${text.slice(0, SHOWN_LENGTH_MAX)}…` : text;
}

// Only the keys: an options object may hold a secret, and an error must not repeat it.
function describeObject(value: object): string {
  const name = value.constructor?.name ?? "Object";
  const keys = Object.keys(value).slice(0, 5).join(", ");
  return name === "Object"
    ? `an object with ${keys === "" ? "no keys" : `the keys ${keys}`}`
    : `an instance of ${name}`;
}
