import type { Call, EventMap, Runtime, Usage, Waits } from "../core/index.ts";
import { type CallSeries, CallSeriesBook, callMetrics, type EndSeries } from "./call-series.ts";
import { CallsInFlight } from "./calls-in-flight.ts";
import { DEFINITIONS } from "./definitions.ts";
import { costOf, type ModelPrice, type PriceBook } from "./prices.ts";
import { recordAttempts } from "./record-attempts.ts";
import { recordLookups } from "./record-lookups.ts";
import type { Registry } from "./registry.ts";

type End = EventMap["call.completed" | "call.failed" | "call.cancelled"];

/** The series of a call. */
export type SeriesOf = (call: Call | undefined) => CallSeries;

const WAIT_REASONS = { queue: "queue", throttle: "throttle", rateLimit: "rate_limit", backoff: "backoff" } as const;

/** Feeds the metrics of calls, attempts and lookups. Gives back how to stop. */
export function recordCalls(runtime: Runtime, registry: Registry, prices: PriceBook): readonly (() => void)[] {
  const { clock, events } = runtime;
  const metrics = callMetrics(registry);
  const inFlight = new CallsInFlight(registry);
  const book = new CallSeriesBook(metrics, inFlight, {
    isKnown: (model) => prices.of(model) !== undefined,
    onOverflow: () => events.emit("monitor.overflow", undefined, { metric: DEFINITIONS.calls.name }),
  });
  const seriesOf: SeriesOf = (call) => book.of(call?.operation, call?.provider, call?.model);

  const finish = (event: End, call: Call | undefined, series: CallSeries, end: EndSeries, now: number): void => {
    if (call !== undefined) series.startTimes.ended(call.id);
    // A call that had begun before the monitor was there must not count below zero.
    if ((series.inFlight.at(now) ?? 0) > 0) series.inFlight.add(-1, now);
    if (series.isCollapsed) metrics.calls.overflowed++;
    end.calls.add(1, now);
    end.operationDuration.record(event.durationMs / 1000, now);
    end.callDuration.record(event.durationMs, now);
    recordWaits(series, event.waits, now);
  };
  const withoutContent = (event: End, series: CallSeries, reason: string, now: number): void => {
    if (!event.stream || event.firstChunkMs !== undefined || event.attempts === 0) return;
    series.metrics.streamEmpty.series({ ...series.labels, reason }).add(1, now);
  };

  return [
    inFlight.observe(),
    events.tap("call.started", (_event, call) => {
      const now = clock.now();
      const series = seriesOf(call);
      series.inFlight.add(1, now);
      if (call !== undefined) series.startTimes.started(call.id, now);
    }),
    events.tap("call.first_chunk", (event, call) => {
      seriesOf(call).firstChunk.record(event.ttfcMs / 1000, clock.now());
    }),
    events.meterChunks(({ operation, provider, model }) => {
      const pauses = book.of(operation, provider, model).chunkPause;
      return (pauseMs, now) => pauses.record(pauseMs / 1000, now);
    }),
    events.tap("call.completed", (event, call) => {
      const now = clock.now();
      const series = seriesOf(call);
      const { answeredBy, responseModel, usage, durationMs, providerMs, waits } = event;
      const end = series.answered(answeredBy, book.responseModel(responseModel, call?.model));
      finish(event, call, series, end, now);
      series.overhead.record(overheadMs(durationMs, providerMs, waits) / 1000, now);
      if (event.servedBy === "upstream") withoutContent(event, series, "completed", now);
      else if (usage !== undefined) save(prices.of(responseModel, call?.model), usage, series, now);
    }),
    events.tap("call.failed", (event, call) => {
      const now = clock.now();
      const series = seriesOf(call);
      const outcome = event.errorType === "refused" ? "rejected" : "error";
      finish(event, call, series, series.ended(outcome, event.errorType), now);
      withoutContent(event, series, event.errorType, now);
    }),
    events.tap("call.cancelled", (event, call) => {
      const now = clock.now();
      const series = seriesOf(call);
      finish(event, call, series, series.ended("cancelled", "aborted"), now);
      withoutContent(event, series, "aborted", now);
    }),
    ...recordAttempts(runtime, seriesOf, prices),
    ...recordLookups(runtime, seriesOf),
  ];
}

function overheadMs(durationMs: number, providerMs: number, waits: Waits): number {
  const elsewhere = providerMs + waits.queue + waits.throttle + waits.rateLimit + waits.backoff;
  return Math.max(0, durationMs - elsewhere);
}

function recordWaits({ labels, metrics }: CallSeries, waits: Waits, now: number): void {
  if (waits.queue === 0 && waits.throttle === 0 && waits.rateLimit === 0 && waits.backoff === 0) return;
  for (const [wait, reason] of Object.entries(WAIT_REASONS) as [keyof Waits, string][]) {
    if (waits[wait] > 0) metrics.callWait.series({ ...labels, reason }).record(waits[wait], now);
  }
}

function save(price: ModelPrice | undefined, usage: Usage, { labels, metrics }: CallSeries, now: number): void {
  if (price !== undefined) metrics.costSaved.series(labels).add(costOf(price, usage), now);
}
