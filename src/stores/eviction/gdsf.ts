import { knownKeys, OptionError } from "../../core/index.ts";
import { Ghosts } from "./ghosts.ts";
import { keyHash } from "./key-hash.ts";
import type { Eviction, EvictionItem, EvictionPolicy } from "./policy.ts";
import { Ranking } from "./ranking.ts";

export interface GdsfOptions {
  /**
   * What a hit saves: `"cost"` the money of the entry, `"latency"` the time the provider took, `1` the same for every
   * entry, for the most hits. Default `"cost"`.
   */
  readonly weight?: "cost" | "latency" | 1;
}

export const GDSF_DEFAULTS = { weight: "cost" } as const satisfies GdsfOptions;

// Measured: twice the entries loses hits where few of them fit, eight times gains little more.
const GHOSTS_PER_ENTRY = 4;
const GHOSTS_MIN = 512;

// Most answers are never asked for again. One that has not been yet counts for a part of what it would save. Measured: a
// quarter is better than a half on nearly every trace, and a tenth loses money where popularity is even.
const NEWCOMER_SHARE = 0.25;

// So that entries of which nothing is known, or which cost nothing, still differ by use and size.
const LEAST_WEIGHT = 1e-12;

/**
 * What saves least for its room goes: `age + uses * weight / bytes`, where `age` is the value of the last one that went,
 * so that what was dear long ago goes as well. How often an entry had been used is remembered for a while after it went,
 * and one that is new, and unknown from before, counts for a quarter until it is asked for again.
 *
 * GreedyDual-Size-Frequency: Cherkasova, "Improving WWW Proxies Performance with Greedy-Dual-Size-Frequency Caching
 * Policy", HP Labs 1998, after Cao, Irani, "Cost-Aware WWW Proxy Caching Algorithms", USITS 1997. Throws
 * {@link OptionError}.
 */
export function gdsf(options: GdsfOptions = {}): Eviction {
  knownKeys("gdsf", options, ["weight"]);
  const { weight = GDSF_DEFAULTS.weight } = options;
  if (!Object.hasOwn(WEIGHTS, weight)) throw new OptionError("gdsf.weight", weight, '"cost", "latency" or 1');
  const name = weight === GDSF_DEFAULTS.weight ? "gdsf" : `gdsf(${weight})`;
  return { name, create: () => new Gdsf(WEIGHTS[weight]) };
}

const WEIGHTS = {
  cost: (item: EvictionItem) => Math.max(item.cost, LEAST_WEIGHT),
  latency: (item: EvictionItem) => Math.max(item.tookMs, LEAST_WEIGHT),
  1: () => 1,
} as const;

class Gdsf implements EvictionPolicy {
  readonly #weight: (item: EvictionItem) => number;
  readonly #ranking = new Ranking();
  readonly #ghosts = new Ghosts();
  #age = 0;
  #order = 0;

  constructor(weight: (item: EvictionItem) => number) {
    this.#weight = weight;
  }

  onHit(item: EvictionItem): void {
    item.uses++;
    item.value = this.#age + item.uses * item.gain;
    item.order = ++this.#order;
  }

  onInsert(item: EvictionItem): void {
    item.gain = this.#weight(item) / item.bytes;
    item.uses = Math.max(item.uses, this.#ghosts.usesOf(keyHash(item.key), this.#ghostsWanted));
    this.onHit(item);
    if (item.uses === 1) item.value = this.#age + NEWCOMER_SHARE * item.gain;
    this.#ranking.add(item);
  }

  victim(): EvictionItem | undefined {
    const item = this.#ranking.take();
    if (item === undefined) return undefined;
    this.#age = item.value;
    this.#ghosts.add(keyHash(item.key), item.uses, this.#ghostsWanted);
    return item;
  }

  get #ghostsWanted(): number {
    return Math.max(GHOSTS_MIN, this.#ranking.length * GHOSTS_PER_ENTRY);
  }
}
