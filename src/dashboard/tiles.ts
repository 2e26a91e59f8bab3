import { CALLS, COST, DURATION, ENDED, FIRST_CHUNK, TOKENS } from "./metric-names.ts";
import type { Readings } from "./readings.ts";
import type { Points, TileName, TileView } from "./view.ts";

/** The six numbers that an operator looks at first. */
export function tilesOf(readings: Readings, priced: boolean): Record<TileName, TileView> {
  return {
    calls: callsTile(readings),
    success: successTile(readings),
    latency: percentileTile(readings, DURATION),
    firstChunk: percentileTile(readings, FIRST_CHUNK),
    tokens: tokensTile(readings),
    cost: costTile(readings, priced),
  };
}

function callsTile(readings: Readings): TileView {
  const asked = { aggregate: "count" } as const;
  const n = readings.value(CALLS, asked) ?? 0;
  return {
    value: perMinute(readings, seen(readings) ? n : null),
    previous: perWindow(readings, readings.previous(CALLS, asked), 60),
    n,
    spark: readings.spark(CALLS, { aggregate: "rate" }),
  };
}

function successTile(readings: Readings): TileView {
  const asked = { aggregate: "ratio", labels: ENDED, share: { outcome: "success" } } as const;
  return {
    value: readings.value(CALLS, asked),
    previous: readings.previous(CALLS, asked),
    n: readings.value(CALLS, { aggregate: "count", labels: ENDED }) ?? 0,
    spark: readings.spark(CALLS, asked),
  };
}

function percentileTile(readings: Readings, metric: string): TileView {
  const asked = { aggregate: "p95" } as const;
  return {
    value: readings.value(metric, asked),
    previous: readings.previous(metric, asked),
    n: readings.value(metric, { aggregate: "count" }) ?? 0,
    spark: readings.spark(metric, asked),
  };
}

function tokensTile(readings: Readings): TileView {
  const input = { aggregate: "sum", labels: { token_type: "input" } } as const;
  const output = { aggregate: "sum", labels: { token_type: "output" } } as const;
  const n = readings.value(TOKENS, { aggregate: "count", labels: { token_type: "input" } }) ?? 0;
  const isKnown = n > 0 || seen(readings);
  return {
    value: perMinute(readings, isKnown ? readings.value(TOKENS, input) : null),
    second: perMinute(readings, isKnown ? readings.value(TOKENS, output) : null),
    previous: perWindow(readings, readings.previous(TOKENS, input), 60),
    n,
    spark: perSecond(readings.spark(TOKENS, { aggregate: "sum" }), readings.at),
  };
}

function costTile(readings: Readings, priced: boolean): TileView {
  if (!priced) return { value: null, previous: null, n: 0, spark: [] };
  const asked = { aggregate: "sum" } as const;
  const value = seen(readings) ? readings.value(COST, asked) : null;
  return {
    value: perWindow(readings, value, 3_600),
    previous: perWindow(readings, readings.previous(COST, asked), 3_600),
    n: readings.value(CALLS, { aggregate: "count" }) ?? 0,
    spark: readings.spark(COST, { aggregate: "rate" }),
  };
}

/** Whether any call was ever counted: before that, nothing is known, and a zero would say that there was no traffic. */
function seen(readings: Readings): boolean {
  return readings.spark(CALLS, { aggregate: "count" }).some(([, value]) => value !== null);
}

function perMinute(readings: Readings, amount: number | null): number | null {
  return perWindow(readings, amount, 60);
}

/** An amount of the window, or of the part of it that has passed since the start, as a rate over `seconds`. */
function perWindow({ query, startedAt, at }: Readings, amount: number | null, seconds: number): number | null {
  if (amount === null) return null;
  const coveredSeconds = Math.min(query.window * 60, Math.max(1, (at - startedAt) / 1000));
  return (amount / coveredSeconds) * seconds;
}

/** Sums of steps by how long these lasted, so that the running one does not look like a fall. */
function perSecond(points: Points, at: number): Points {
  return points.map(([start, value], index) => {
    const lastedMs = Math.max(1_000, (points[index + 1]?.[0] ?? at) - start);
    return [start, value === null ? null : value / (lastedMs / 1_000)];
  });
}
