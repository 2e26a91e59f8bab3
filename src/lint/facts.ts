import { type Bytes, byteCount, type Duration, durationMs, integerIn, knownKeys, numberIn } from "../core/index.ts";

/** What is known of the work and of the machine. What is not said is not checked against. */
export interface LintFacts {
  /** How many calls a second are expected. */
  readonly callsPerSecond?: number | undefined;
  /** How long a call takes at the provider, on average. */
  readonly latency?: Duration | undefined;
  /** How long its first token takes. */
  readonly firstToken?: Duration | undefined;
  /** Input and output tokens of a call. */
  readonly tokensPerCall?: number | undefined;
  /** The deadline that calls have by their scope. */
  readonly deadline?: Duration | undefined;
  /** How often the client tries again by itself: of functions for `optimizer.call`, or of an SDK that takes `optimizer.fetch`. */
  readonly clientRetries?: number | undefined;
  /** The memory of the container. Default what the system says, `process.constrainedMemory()`. */
  readonly memory?: Bytes | undefined;
}

/** Facts, read: `undefined` for what is not known. */
export interface ReadFacts {
  readonly callsPerSecond: number | undefined;
  readonly latencyMs: number | undefined;
  readonly firstTokenMs: number | undefined;
  readonly tokensPerCall: number | undefined;
  readonly deadlineMs: number | undefined;
  readonly clientRetries: number;
  readonly memoryBytes: number | undefined;
}

const KEYS = ["callsPerSecond", "latency", "firstToken", "tokensPerCall", "deadline", "clientRetries", "memory"];
// What systems say that set no bound.
const UNBOUNDED_BYTES = 2 ** 50;

/** Throws `OptionError`. */
export function readFacts(facts: LintFacts): ReadFacts {
  knownKeys("facts", facts, KEYS);
  const { callsPerSecond, latency, firstToken, tokensPerCall, deadline, clientRetries = 0, memory } = facts;
  const ms = (name: string, value: Duration | undefined): number | undefined =>
    value === undefined ? undefined : durationMs(`facts.${name}`, value);
  return {
    callsPerSecond: callsPerSecond === undefined ? undefined : numberIn("facts.callsPerSecond", callsPerSecond, 0, 1e9),
    latencyMs: ms("latency", latency),
    firstTokenMs: ms("firstToken", firstToken),
    tokensPerCall: tokensPerCall === undefined ? undefined : numberIn("facts.tokensPerCall", tokensPerCall, 0, 1e9),
    deadlineMs: ms("deadline", deadline),
    clientRetries: integerIn("facts.clientRetries", clientRetries, 0, 100),
    memoryBytes: memory === undefined ? containerBytes() : byteCount("facts.memory", memory, { min: 1 }),
  };
}

function containerBytes(): number | undefined {
  const bytes = process.constrainedMemory();
  return bytes > 0 && bytes < UNBOUNDED_BYTES ? bytes : undefined;
}
