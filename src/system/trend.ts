/** A point in time: milliseconds and a value. */
export type Point = readonly [ms: number, value: number];

const POINTS_MAX = 64;

/**
 * How fast values rise, per millisecond: the median of the slopes between all pairs of points (Theil 1950, Sen 1968), which
 * outliers hardly move. `undefined` with fewer than 3 points. Of more than 64 points, 64 in equal distances are looked at.
 */
export function slopeOf(points: readonly Point[]): number | undefined {
  const chosen = thinned(points);
  if (chosen.length < 3) return undefined;
  const slopes: number[] = [];
  for (const [index, [at, value]] of chosen.entries()) {
    for (const [later, other] of chosen.slice(index + 1)) {
      if (later > at) slopes.push((other - value) / (later - at));
    }
  }
  slopes.sort((a, b) => a - b);
  const middle = slopes.length >> 1;
  if (slopes.length === 0) return undefined;
  if (slopes.length % 2 === 1) return slopes[middle];
  return ((slopes[middle - 1] as number) + (slopes[middle] as number)) / 2;
}

/**
 * How sure it is that values rise, in standard deviations: the test of Mann (1945) and Kendall. Above 2.33, one series in
 * a hundred that does not rise looks as if it did. 0 with fewer than 3 points.
 */
export function riseOf(points: readonly Point[]): number {
  const values = thinned(points).map(([, value]) => value);
  const n = values.length;
  if (n < 3) return 0;
  let score = 0;
  for (const [index, value] of values.entries()) {
    for (const later of values.slice(index + 1)) score += Math.sign(later - value);
  }
  const deviation = Math.sqrt((n * (n - 1) * (2 * n + 5)) / 18);
  return score === 0 ? 0 : (score - Math.sign(score)) / deviation;
}

function thinned(points: readonly Point[]): readonly Point[] {
  if (points.length <= POINTS_MAX) return points;
  const step = (points.length - 1) / (POINTS_MAX - 1);
  return Array.from({ length: POINTS_MAX }, (_, index) => points[Math.round(index * step)] as Point);
}
