/** A source of chance: each call gives a number in [0, 1). */
export type Random = () => number;

/** `Math.random`, the default source. */
export const systemRandom: Random = Math.random;

/**
 * A repeatable source: the same seed gives the same sequence.
 * Algorithm: mulberry32 (Tommy Ettinger, 2017), 32 bits of state; not for secrets.
 */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}
