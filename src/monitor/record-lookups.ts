import type { Runtime } from "../core/index.ts";
import type { SeriesOf } from "./record-calls.ts";

/** Feeds the metric of looks at the cache. */
export function recordLookups({ clock, events }: Runtime, seriesOf: SeriesOf): readonly (() => void)[] {
  return [
    events.tap("cache.hit", (event, call) => {
      const { labels, metrics } = seriesOf(call);
      const result = event.stale ? "stale" : "hit";
      metrics.cacheLookups.series({ ...labels, result, tier: event.tier }).add(1, clock.now());
    }),
    events.tap("cache.miss", (_event, call) => {
      const { labels, metrics } = seriesOf(call);
      metrics.cacheLookups.series({ ...labels, result: "miss" }).add(1, clock.now());
    }),
    events.tap("cache.bypassed", (_event, call) => {
      const { labels, metrics } = seriesOf(call);
      metrics.cacheLookups.series({ ...labels, result: "bypass" }).add(1, clock.now());
    }),
  ];
}
