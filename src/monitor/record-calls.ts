import type { BreakwaterEvent, Clock, EventBus, FaultKind, ServedBy, Usage, Waits } from "../core/index.ts";
import { type CallSeries, CallSeriesBook, callMetrics, type EndSeries } from "./call-series.ts";
import { DEFINITIONS } from "./definitions.ts";
import { costOf, type PriceList } from "./prices.ts";
import type { Registry } from "./registry.ts";

type End = BreakwaterEvent<"call.completed" | "call.failed" | "call.cancelled">;

const WAIT_REASONS = { queue: "queue", throttle: "throttle", rateLimit: "rate_limit", backoff: "backoff" } as const;

/** Feeds the metrics of calls and attempts. Gives back how to stop. */
export function recordCalls(
  { clock, events }: { readonly clock: Clock; readonly events: EventBus },
  registry: Registry,
  prices: PriceList | undefined,
): readonly (() => void)[] {
  const book = new CallSeriesBook(callMetrics(registry), () => {
    events.emit("monitor.overflow", undefined, { metric: DEFINITIONS.calls.name });
  });
  const seriesOf = (event: {
    op?: string | undefined;
    provider?: string | undefined;
    model?: string | undefined;
  }): CallSeries => book.of(event.op, event.provider, event.model);

  const finish = (event: End, series: CallSeries, end: EndSeries, now: number): void => {
    // A call that had begun before the monitor was there must not count below zero.
    if ((series.inFlight.at(now) ?? 0) > 0) series.inFlight.add(-1, now);
    end.calls.add(1, now);
    end.operationDuration.record(event.durationMs / 1000, now);
    end.callDuration.record(event.durationMs, now);
    recordWaits(series, event.waits, now);
  };

  const spend = (event: Charged, series: CallSeries, now: number): void => {
    if (event.usage === undefined) return;
    if (event.servedBy === undefined || event.servedBy === "upstream") recordTokens(series, event.usage, now);
    if (prices !== undefined) charge(prices, event, event.usage, series, now);
  };

  return [
    events.on("call.started", (event) => {
      seriesOf(event).inFlight.add(1, clock.now());
    }),
    events.on("call.first_chunk", (event) => {
      const { labels, metrics } = seriesOf(event);
      metrics.timeToFirstChunk.series(labels).record(event.ttfcMs / 1000, clock.now());
    }),
    events.on("call.completed", (event) => {
      const now = clock.now();
      const series = seriesOf(event);
      finish(event, series, series.answered(event.servedBy), now);
      spend(event, series, now);
    }),
    events.on("call.failed", (event) => {
      const now = clock.now();
      const series = seriesOf(event);
      const outcome = event.errorType === "refused" ? "rejected" : "error";
      finish(event, series, series.ended(outcome, event.errorType), now);
      spend(event, series, now);
    }),
    events.on("call.cancelled", (event) => {
      const now = clock.now();
      const series = seriesOf(event);
      finish(event, series, series.ended("cancelled", "aborted"), now);
      spend(event, series, now);
    }),
    events.on("attempt.completed", (event) => {
      recordAttempt(seriesOf(event), event.attempt, undefined, event.durationMs, clock.now());
    }),
    events.on("attempt.failed", (event) => {
      recordAttempt(seriesOf(event), event.attempt, event.errorType, event.durationMs, clock.now());
    }),
    events.on("retry.scheduled", (event) => {
      const { labels, metrics } = seriesOf(event);
      metrics.retries.series({ ...labels, reason: event.reason, source: event.source }).add(1, clock.now());
    }),
    events.on("timeout.fired", (event) => {
      const { labels, metrics } = seriesOf(event);
      metrics.timeouts.series({ ...labels, phase: event.phase }).add(1, clock.now());
    }),
    events.on("stream.interrupted", (event) => {
      const { labels, metrics } = seriesOf(event);
      metrics.streamInterruptions.series({ ...labels, reason: event.reason }).add(1, clock.now());
    }),
    events.on("cache.hit", (event) => {
      const { labels, metrics } = seriesOf(event);
      metrics.cacheLookups.series({ ...labels, result: "hit", tier: event.tier }).add(1, clock.now());
    }),
    events.on("cache.miss", (event) => {
      const { labels, metrics } = seriesOf(event);
      metrics.cacheLookups.series({ ...labels, result: "miss" }).add(1, clock.now());
    }),
    events.on("cache.refreshed", (event) => {
      // What the cache asks for by itself is no call, and costs all the same.
      spend(event, seriesOf(event), clock.now());
    }),
    events.on("cache.bypassed", (event) => {
      const { labels, metrics } = seriesOf(event);
      metrics.cacheLookups.series({ ...labels, result: "bypass" }).add(1, clock.now());
    }),
  ];
}

function recordAttempt(
  series: CallSeries,
  number: number,
  errorType: FaultKind | undefined,
  durationMs: number,
  now: number,
): void {
  const { attempts, duration } = series.attempt(number === 1, errorType);
  attempts.add(1, now);
  duration.record(durationMs / 1000, now);
}

function recordTokens(series: CallSeries, usage: Usage, now: number): void {
  const [input, output] = series.tokens;
  input.record(usage.inputTokens, now);
  output.record(usage.outputTokens, now);
}

function recordWaits({ labels, metrics }: CallSeries, waits: Waits, now: number): void {
  if (waits.queue === 0 && waits.throttle === 0 && waits.rateLimit === 0 && waits.backoff === 0) return;
  for (const [wait, reason] of Object.entries(WAIT_REASONS) as [keyof Waits, string][]) {
    if (waits[wait] > 0) metrics.callWait.series({ ...labels, reason }).record(waits[wait], now);
  }
}

interface Charged {
  readonly model?: string | undefined;
  /** Absent when the call failed: then what it used was the provider's. */
  readonly servedBy?: ServedBy;
  readonly usage: Usage | undefined;
  readonly responseModel?: string | undefined;
}

// By the model that answered where it has a price (an alias may resolve to another one), else by the one asked for.
function charge(prices: PriceList, event: Charged, usage: Usage, series: CallSeries, now: number): void {
  const price = prices.get(event.responseModel ?? "") ?? prices.get(event.model ?? "");
  if (price === undefined) return;
  const spent = event.servedBy === undefined || event.servedBy === "upstream";
  const counter = spent ? series.cost : series.metrics.costSaved.series(series.labels);
  counter.add(costOf(price, usage), now);
}
