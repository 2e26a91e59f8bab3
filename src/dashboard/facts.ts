import { AMPLIFICATION, BUDGET_USED, CACHE_LOOKUPS, COST_SAVED, OLDEST_AGE, POOL_DEPTH } from "./metric-names.ts";
import type { Readings } from "./readings.ts";
import type { GaugeView } from "./view.ts";

const LOOKED_UP = { result: ["hit", "miss", "stale"] };

/** What the line itself does, in single numbers. */
export function factsOf(readings: Readings, inFlight: number, priced: boolean): readonly GaugeView[] {
  const all = readings.ofEverything();
  const now = { aggregate: "value" } as const;
  const saved = priced ? readings.value(COST_SAVED, { aggregate: "rate" }) : null;
  return [
    { name: "In flight", unit: "count", value: inFlight },
    { name: "Oldest in flight", unit: "seconds", value: all.value(OLDEST_AGE, now) },
    { name: "Waiting in the queue", unit: "count", value: all.value(POOL_DEPTH, now) },
    { name: "Attempts per call", unit: "count", value: readings.value(AMPLIFICATION, { aggregate: "ratio" }) },
    {
      name: "Found in the cache",
      unit: "ratio",
      value: readings.value(CACHE_LOOKUPS, {
        aggregate: "ratio",
        labels: LOOKED_UP,
        share: { result: ["hit", "stale"] },
      }),
    },
    { name: "Saved by it", unit: "dollarsPerHour", value: saved === null ? null : saved * 3_600 },
    { name: "Fullest budget", unit: "ratio", value: all.value(BUDGET_USED, now) },
  ];
}
