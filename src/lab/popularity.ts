import type { Random } from "../core/index.ts";

/** Draws ranks from 0: rank `r` with a probability in proportion to `1 / (r + 1) ** exponent` (Zipf). */
export function zipfRanks(ranks: number, exponent: number, random: Random): () => number {
  const sums = new Float64Array(ranks);
  let total = 0;
  for (let rank = 0; rank < ranks; rank++) {
    total += (rank + 1) ** -exponent;
    sums[rank] = total;
  }
  return () => {
    const wanted = random() * total;
    let [low, high] = [0, ranks - 1];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((sums[middle] as number) <= wanted) low = middle + 1;
      else high = middle;
    }
    return low;
  };
}

/** A number whose logarithm is normal, with mean `mu` and deviation `sigma` (Box, Muller 1958). */
export function lognormal(mu: number, sigma: number, random: Random): number {
  const normal = Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  return Math.exp(mu + sigma * normal);
}
