import { type BreakwaterEvent, type CallFingerprint, dollarsFor, type FaultKind } from "../core/index.ts";
import type { Monitor } from "../monitor/index.ts";
import type { Optimizer } from "../optimizer.ts";
import type { CallFacts, UncachedReason } from "./facts.ts";
import type { Tally } from "./tally.ts";

type End = BreakwaterEvent<"call.completed" | "call.failed" | "call.cancelled">;

/** What is heard of a call before its end. */
interface Heard {
  uncached: UncachedReason;
  timeouts: number;
  timeoutMs: number;
  retries: number;
  failedMs: number;
  failure: FaultKind | undefined;
  fingerprint: CallFingerprint | undefined;
}

const NOTHING: Readonly<Heard> = {
  uncached: "off",
  timeouts: 0,
  timeoutMs: 0,
  retries: 0,
  failedMs: 0,
  failure: undefined,
  fingerprint: undefined,
};
// Of calls that never end nothing stays but this.
const HEARD_MAX = 10_000;
/** Ends of attempts that are told of otherwise, or are nobody's failure. */
const NO_FAILURES: readonly FaultKind[] = ["timeout", "aborted", "refused"];

/** Tells `tally` of every call and measured function. Gives back how to stop. */
export function listenTo(optimizer: Pick<Optimizer, "on" | "line" | "monitor">, tally: () => Tally): () => void {
  const { monitor } = optimizer;
  const { clock } = optimizer.line.runtime;
  const calls = new Map<string, Heard>();
  const heardOf = (callId: string | undefined): Heard => {
    const id = callId ?? "";
    let heard = calls.get(id);
    if (heard === undefined) {
      heard = { ...NOTHING };
      if (calls.size >= HEARD_MAX) calls.delete(calls.keys().next().value as string);
      calls.set(id, heard);
    }
    return heard;
  };
  const end = (event: End): void => {
    const id = event.callId ?? "";
    const heard = calls.get(id) ?? NOTHING;
    calls.delete(id);
    tally().addCall(factsOf(event, heard, clock.now(), monitor));
  };
  const stops = [
    optimizer.on("cache.miss", ({ callId, reason }) => {
      heardOf(callId).uncached = reason;
    }),
    optimizer.on("cache.bypassed", ({ callId, reason }) => {
      heardOf(callId).uncached = reason;
    }),
    optimizer.on("timeout.fired", ({ callId, elapsedMs }) => {
      const heard = heardOf(callId);
      heard.timeouts++;
      heard.timeoutMs += elapsedMs;
    }),
    optimizer.on("retry.scheduled", ({ callId, reason }) => {
      if (reason === "timeout") return;
      const heard = heardOf(callId);
      heard.retries++;
      heard.failure = reason;
    }),
    optimizer.on("attempt.failed", ({ callId, errorType, durationMs }) => {
      if (!NO_FAILURES.includes(errorType)) heardOf(callId).failedMs += durationMs;
    }),
    optimizer.on("call.fingerprinted", (event) => {
      heardOf(event.callId).fingerprint = event;
    }),
    optimizer.on("call.completed", end),
    optimizer.on("call.failed", end),
    optimizer.on("call.cancelled", end),
    optimizer.on("function.measured", ({ name, durationMs }) => {
      tally().addFunction({ at: clock.now(), name, durationMs });
    }),
  ];
  return () => {
    for (const stop of stops) stop();
  };
}

function factsOf(event: End, heard: Readonly<Heard>, at: number, monitor: Pick<Monitor, "priceOf">): CallFacts {
  const { fingerprint, ...told } = heard;
  const answered = event.type === "call.completed" ? event : undefined;
  const isUpstream = answered?.servedBy === "upstream" && event.attempts > 0;
  const price = monitor.priceOf(answered?.responseModel, event.model);
  const servedBy = event.type === "call.cancelled" ? undefined : event.servedBy;
  const isPaid = servedBy === undefined || servedBy === "upstream";
  return {
    ...told,
    at,
    provider: event.provider,
    model: event.model,
    route: event.route,
    template: fingerprint?.template,
    question: fingerprint?.question,
    durationMs: event.durationMs,
    waits: event.waits,
    attempts: event.attempts,
    isUpstream,
    usage: event.usage,
    price,
    cost: price === undefined || event.usage === undefined ? undefined : isPaid ? dollarsFor(price, event.usage) : 0,
    inputChars: fingerprint?.inputChars ?? 0,
    pieces: fingerprint?.pieces ?? [],
  };
}
