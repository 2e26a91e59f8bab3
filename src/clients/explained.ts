import type { Call, Explanation, Trace } from "../core/index.ts";

/** Enough of a call to explain it, without its request. */
interface Remembered {
  readonly id: string;
  readonly provider: string;
  readonly model: string;
  readonly operation: string;
  readonly trace: Trace;
}

const RECENT_MAX = 200;

const byTarget = new WeakMap<object, Remembered>();
// A ring: the newest overwrites the oldest. Looking up walks it, which only somebody who asks pays for.
const recent: (Remembered | undefined)[] = new Array(RECENT_MAX);
let nextPlace = 0;

/** Makes a call explainable by its id, as long as it is among the last 200. */
export function remember(call: Call): void {
  recent[nextPlace] = summaryOf(call);
  nextPlace = (nextPlace + 1) % RECENT_MAX;
}

/** Makes a call explainable by what came out of it, for as long as that lives. Only objects can be known again. */
export function rememberBy(target: unknown, call: Call): void {
  if (typeof target === "object" && target !== null) byTarget.set(target, summaryOf(call));
}

function summaryOf({ id, provider, model, operation, trace }: Call): Remembered {
  return { id, provider, model, operation, trace };
}

/**
 * What happened to a call. `target` is the `Response` or error that came out of it, the object that
 * `optimizer.call` gave, an SDK's error for a response, or the call's id as events carry it (the last 200 calls).
 * Objects that an SDK parsed are not known: take the response of `.withResponse()`.
 */
export function explainOf(target: unknown): Explanation | undefined {
  const remembered = typeof target === "string" ? recent.find((call) => call?.id === target) : find(target);
  return remembered?.trace.explain(remembered);
}

function find(target: unknown): Remembered | undefined {
  if (typeof target !== "object" || target === null) return undefined;
  const { headers, cause } = target as { readonly headers?: unknown; readonly cause?: unknown };
  for (const candidate of [target, headers, cause]) {
    const remembered = typeof candidate === "object" && candidate !== null ? byTarget.get(candidate) : undefined;
    if (remembered !== undefined) return remembered;
  }
  return undefined;
}
