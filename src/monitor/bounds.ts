/**
 * Upper bounds of explicit buckets for durations in seconds: those the GenAI conventions advise, 0.01 s doubled up to
 * 81.92 s, and three more, since reasoning calls run for minutes. A superset keeps every advised bucket.
 */
export const SECONDS_BOUNDS: readonly number[] = Array.from({ length: 17 }, (_, power) => (2 ** power * 10) / 1000);

/** For amounts, by powers of four: what the GenAI conventions advise for tokens. */
export const AMOUNT_BOUNDS: readonly number[] = Array.from({ length: 14 }, (_, power) => 4 ** power);

/** The bounds for values of a unit, where a metric has none of its own. */
export function boundsFor(unit: string): readonly number[] {
  if (unit === "s") return SECONDS_BOUNDS;
  if (unit === "ms") return SECONDS_BOUNDS.map((bound) => bound * 1000);
  return AMOUNT_BOUNDS;
}

/** Which bucket a value lies in: the first whose bound is not less, or the last, which has none. */
export function bucketOf(bounds: readonly number[], value: number): number {
  let low = 0;
  let high = bounds.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((bounds[middle] as number) < value) low = middle + 1;
    else high = middle;
  }
  return low;
}
