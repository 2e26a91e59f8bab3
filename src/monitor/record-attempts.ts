import type { Call, EventMap, FaultKind, Runtime } from "../core/index.ts";
import { costOf, type PriceBook } from "./prices.ts";
import type { SeriesOf } from "./record-calls.ts";

/**
 * Feeds the metrics of requests to the provider, of retries and of second tries. Tokens and money are counted here: by
 * request, since each is paid for, and one call may ask several models.
 */
export function recordAttempts(
  { clock, events }: Runtime,
  seriesOf: SeriesOf,
  prices: PriceBook,
): readonly (() => void)[] {
  const record = (
    { kind, durationMs, usage }: EventMap["attempt.completed" | "attempt.failed"],
    call: Call | undefined,
    errorType: FaultKind | undefined,
    responseModel: string | undefined,
  ): void => {
    const now = clock.now();
    const series = seriesOf(call);
    const { attempts, duration } = series.attempt(kind, errorType);
    attempts.add(1, now);
    duration.record(durationMs / 1000, now);
    if (usage === undefined) return;
    series.used(usage, now);
    const price = prices.of(responseModel, call?.model);
    if (price !== undefined) series.cost.add(costOf(price, usage), now);
  };

  return [
    events.tap("attempt.completed", (event, call) => record(event, call, undefined, event.responseModel)),
    events.tap("attempt.failed", (event, call) => record(event, call, event.errorType, undefined)),
    events.tap("retry.scheduled", (event, call) => {
      const now = clock.now();
      const { labels, metrics } = seriesOf(call);
      metrics.retries.series({ ...labels, reason: event.reason, source: event.source }).add(1, now);
      metrics.retryDelay.series(labels).record(event.delayMs / 1000, now);
    }),
    events.tap("retry.exhausted", (event, call) => {
      const { labels, metrics } = seriesOf(call);
      metrics.retriesExhausted.series({ ...labels, reason: event.reason, by: event.by }).add(1, clock.now());
    }),
    events.tap("retry.resumed", (event, call) => {
      const { labels, metrics } = seriesOf(call);
      metrics.retriesResumed.series({ ...labels, how: event.how }).add(1, clock.now());
    }),
    events.tap("hedge.ended", (event, call) => {
      const { labels, metrics } = seriesOf(call);
      const result = event.winner === "hedge" ? "won" : "lost";
      metrics.hedges.series({ ...labels, result }).add(1, clock.now());
    }),
    events.tap("timeout.fired", (event, call) => {
      const { labels, metrics } = seriesOf(call);
      metrics.timeouts.series({ ...labels, phase: event.phase }).add(1, clock.now());
    }),
    events.tap("stream.interrupted", (event, call) => {
      const { labels, metrics } = seriesOf(call);
      metrics.streamInterruptions.series({ ...labels, reason: event.reason }).add(1, clock.now());
    }),
  ];
}
