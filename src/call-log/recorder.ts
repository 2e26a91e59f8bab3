import { type BreakwaterEvent, dollarsFor, type FaultKind, type ModelPrice } from "../core/index.ts";
import type { Monitor } from "../monitor/index.ts";
import type { Optimizer } from "../optimizer.ts";
import type { SqlValue } from "../sqlite/index.ts";
import type { CallLogSettings } from "./options.ts";
import type { CallOutcome } from "./row.ts";

type End = BreakwaterEvent<"call.completed" | "call.failed" | "call.cancelled">;

/** What is heard of a call before its end. */
interface Heard {
  timeouts: number;
  timeoutMs: number;
  failedMs: number;
  target: string | undefined;
  template: string | undefined;
  question: string | undefined;
}

const NOTHING: Readonly<Heard> = {
  timeouts: 0,
  timeoutMs: 0,
  failedMs: 0,
  target: undefined,
  template: undefined,
  question: undefined,
};
// Of calls that never end nothing stays but this.
const HEARD_MAX = 10_000;
const TEXT_MAX = 256;
/** Ends of attempts that are told of otherwise, or are nobody's failure. */
const NO_FAILURES: readonly FaultKind[] = ["timeout", "aborted", "refused"];

/** Makes a row of each call that ends, in the order of `COLUMNS`. Gives back how to stop. */
export function recordRows(
  optimizer: Pick<Optimizer, "on" | "monitor">,
  settings: Pick<CallLogSettings, "clients" | "fingerprints">,
  add: (row: SqlValue[]) => void,
): () => void {
  const { monitor } = optimizer;
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
    add(rowValues(event, heard, settings.clients, monitor));
  };
  const stops = [
    optimizer.on("timeout.fired", ({ callId, phase, elapsedMs }) => {
      if (phase === "total") return;
      const heard = heardOf(callId);
      heard.timeouts++;
      heard.timeoutMs += elapsedMs;
    }),
    optimizer.on("attempt.failed", ({ callId, errorType, durationMs }) => {
      if (!NO_FAILURES.includes(errorType)) heardOf(callId).failedMs += durationMs;
    }),
    optimizer.on("fallback.used", ({ callId, to }) => {
      heardOf(callId).target = to;
    }),
    optimizer.on("call.completed", end),
    optimizer.on("call.failed", end),
    optimizer.on("call.cancelled", end),
  ];
  if (settings.fingerprints) {
    stops.push(
      optimizer.on("call.fingerprinted", ({ callId, template, question }) => {
        Object.assign(heardOf(callId), { template, question });
      }),
    );
  }
  return () => {
    for (const stop of stops) stop();
  };
}

function rowValues(
  event: End,
  heard: Readonly<Heard>,
  clients: boolean,
  monitor: Pick<Monitor, "priceOf">,
): SqlValue[] {
  const { waits, usage } = event;
  const answered = event.type === "call.completed" ? event : undefined;
  const failed = event.type === "call.failed" ? event : undefined;
  return [
    text(event.callId),
    Math.round(event.ts - event.durationMs),
    text(event.op),
    text(event.provider),
    text(event.model),
    text(answered?.responseModel),
    text(event.route),
    clients ? text(event.client) : null,
    outcomeOf(event),
    text(failed?.errorType),
    failed?.status ?? null,
    text(failed?.refusedBy),
    event.attempts,
    heard.timeouts,
    milliseconds(heard.timeoutMs),
    milliseconds(heard.failedMs),
    text(answered?.answeredBy),
    text(answered?.tier),
    text(heard.target),
    milliseconds(waits.queue),
    milliseconds(waits.throttle),
    milliseconds(waits.rateLimit),
    milliseconds(waits.backoff),
    event.firstChunkMs === undefined ? null : milliseconds(event.firstChunkMs),
    milliseconds(event.providerMs),
    milliseconds(event.durationMs),
    tokens(usage?.inputTokens),
    tokens(usage?.outputTokens),
    tokens(usage?.cachedInputTokens),
    tokens(usage?.reasoningTokens),
    costOf(event, monitor.priceOf(answered?.responseModel, event.model)),
    event.stream ? 1 : 0,
    event.priority,
    text(heard.template),
    text(heard.question),
  ];
}

function outcomeOf(event: End): CallOutcome {
  if (event.type === "call.completed") return "success";
  if (event.type === "call.cancelled") return "cancelled";
  return event.errorType === "refused" ? "rejected" : "error";
}

function costOf(event: End, price: ModelPrice | undefined): number | null {
  if (price === undefined || event.usage === undefined) return null;
  const servedBy = event.type === "call.cancelled" ? undefined : event.servedBy;
  return servedBy === undefined || servedBy === "upstream" ? dollarsFor(price, event.usage) : 0;
}

function text(value: string | undefined): string | null {
  if (value === undefined) return null;
  return value.length > TEXT_MAX ? value.slice(0, TEXT_MAX) : value;
}

// As whoever answered told it. The file takes larger whole numbers, but SQLite's drivers refuse to read them back.
function tokens(count: number | undefined): number | null {
  return count === undefined ? null : Math.min(count, Number.MAX_SAFE_INTEGER);
}

// To the microsecond: what lies beneath is noise, and long.
function milliseconds(value: number): number {
  return Math.round(value * 1000) / 1000;
}
