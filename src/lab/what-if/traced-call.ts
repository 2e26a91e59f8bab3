import { type FaultKind, OptionError, type Priority, priorityLevel, type ServedBy } from "../../core/index.ts";

/** One call as a trace has it: its shape, nothing of what was said. Only `at` must be there. Times are milliseconds. */
export interface TracedCall {
  /** When it came, from any origin. */
  readonly at: number;
  readonly model?: string | undefined;
  readonly stream?: boolean | undefined;
  /** Of the prompt, cached ones included. Unknown: what the middle one of the trace has. */
  readonly inputTokens?: number | undefined;
  /** Of the answer, reasoning included. */
  readonly outputTokens?: number | undefined;
  /** A name for whose call it is. */
  readonly client?: string | undefined;
  /** Calls that have this in common ask the same question. */
  readonly question?: string | undefined;
  readonly priority?: Priority | undefined;
  /** Default `"answered"`. */
  readonly outcome?: "answered" | FaultKind | undefined;
  /** Default `"upstream"`. */
  readonly servedBy?: ServedBy | undefined;
  /** How its tries at the provider failed. */
  readonly failures?: readonly FaultKind[] | undefined;
  /** From the call's coming to the end of its answer. */
  readonly durationMs?: number | undefined;
  /** Of the try that was answered, from its sending. */
  readonly providerMs?: number | undefined;
  /** Until that try gave the first token of its answer, where it was streamed. */
  readonly firstTokenMs?: number | undefined;
}

const AMOUNTS = ["inputTokens", "outputTokens", "durationMs", "providerMs", "firstTokenMs"] as const;

/** The calls in the order they came. Throws `OptionError` for an empty trace and for a call that is none. */
export function tracedCalls(option: string, calls: Iterable<TracedCall>): readonly TracedCall[] {
  const all = [...calls];
  if (all.length === 0) throw new OptionError(option, all, "at least one call");
  for (const [index, call] of all.entries()) check(`${option}[${index}]`, call);
  return all.toSorted((one, other) => one.at - other.at);
}

function check(option: string, call: TracedCall): void {
  if (typeof call !== "object" || call === null) throw new OptionError(option, call, "an object");
  if (!Number.isFinite(call.at)) throw new OptionError(`${option}.at`, call.at, "milliseconds");
  if (call.priority !== undefined) priorityLevel(`${option}.priority`, call.priority);
  for (const name of AMOUNTS) {
    const amount = call[name];
    if (amount === undefined || (amount >= 0 && amount < Number.POSITIVE_INFINITY)) continue;
    throw new OptionError(`${option}.${name}`, amount, "a number of at least 0");
  }
}

/** Whether a provider gave this answer to this call itself, so that it tells something of the provider. */
export function answeredUpstream({ outcome = "answered", servedBy = "upstream" }: TracedCall): boolean {
  return outcome === "answered" && servedBy === "upstream";
}
