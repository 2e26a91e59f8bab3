import type { Random } from "../core/index.ts";

const DRAWS_MAX = 1_000_000;
const ROUNDS_MAX = 1000;
const ROUNDS_MIN = 100;
const OUTSIDE = 0.025;

/**
 * Where the ratio of the sums of `parts` and `wholes` would lie in 95 of 100 samples of other owners like these: owners
 * are drawn again with replacement, so that one owner's many requests count as one observation (cluster bootstrap,
 * percentile method: Efron, Tibshirani, 1993). `undefined` for fewer than two owners.
 */
export function ratioInterval(
  parts: Float64Array,
  wholes: Float64Array,
  random: Random,
): readonly [low: number, high: number] | undefined {
  const { length } = wholes;
  if (length < 2) return undefined;
  const rounds = Math.min(ROUNDS_MAX, Math.max(ROUNDS_MIN, Math.floor(DRAWS_MAX / length)));
  const ratios = Float64Array.from({ length: rounds }, () => {
    let [part, whole] = [0, 0];
    for (let draw = 0; draw < length; draw++) {
      const owner = Math.floor(random() * length);
      part += parts[owner] as number;
      whole += wholes[owner] as number;
    }
    return whole > 0 ? part / whole : 0;
  }).sort();
  const at = (share: number) => ratios[Math.min(rounds - 1, Math.floor(share * rounds))] as number;
  return [at(OUTSIDE), at(1 - OUTSIDE)];
}
