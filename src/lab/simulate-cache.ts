import { type Bytes, byteCount, integerIn, knownKeys, numberIn, OptionError, seededRandom } from "../core/index.ts";
import { type Eviction, gdsf, lru, s3fifo, sieve } from "../stores/eviction/index.ts";
import { ratioInterval } from "./bootstrap.ts";
import { type CacheRequest, type CacheTrace, cacheTraceOf } from "./cache-trace.ts";
import { type Replay, replay } from "./replay.ts";

export interface SimulateCacheOptions {
  /** Default `gdsf()`, `lru()`, `sieve()` and `s3fifo()`. Their names must differ. */
  readonly policies?: readonly Eviction[] | undefined;
  /**
   * Sizes of the cache: a number from 0 to 1 is a share of the footprint, which is what the answers to all keys take
   * together; text such as `"64mb"`, or a larger number, is bytes. Default 0.1 % to 20 % of the footprint.
   */
  readonly sizes?: readonly Bytes[] | undefined;
  /** Of the intervals. Default 1. */
  readonly seed?: number | undefined;
}

const SIZES = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2] as const;

/** Shares of all requests, from 0 to 1. */
export interface Savings {
  readonly hitRatio: number;
  readonly byteHitRatio: number;
  /** Of the cost of all requests. */
  readonly costSaved: number;
  /** Of the time that the provider takes for all requests; `undefined` where no request tells it. */
  readonly latencySaved: number | undefined;
}

/** One policy at one size. */
export interface SimulationRun extends Savings {
  readonly policy: string;
  /** Share of the footprint. */
  readonly size: number;
  readonly bytes: number;
  /** Where `costSaved` lies for other owners like these, in 95 of 100 cases; `undefined` for fewer than two owners. */
  readonly costSavedInterval: readonly [low: number, high: number] | undefined;
  /** Requests a second, hits and all. */
  readonly opsPerSecond: number;
}

export interface CacheSimulation {
  readonly requests: number;
  readonly keys: number;
  readonly owners: number;
  readonly footprintBytes: number;
  /** What a cache without bounds saves: more is not to be had of this trace. */
  readonly ceiling: Savings;
  /** By size, and by policy within a size. */
  readonly runs: readonly SimulationRun[];
}

/**
 * What caches of several policies and sizes would have saved of a trace. Requests are replayed in their order, never
 * shuffled: a cache lives on the order. Throws {@link OptionError}.
 */
export function simulateCache(requests: Iterable<CacheRequest>, options: SimulateCacheOptions = {}): CacheSimulation {
  knownKeys("simulateCache", options, ["policies", "sizes", "seed"]);
  const policies = policiesOf(options.policies ?? [gdsf(), lru(), sieve(), s3fifo()]);
  const seed = integerIn("simulateCache.seed", options.seed ?? 1, 0);
  const trace = cacheTraceOf(requests);
  const sizes = (options.sizes ?? SIZES).map((size, index) =>
    sizeOf(`simulateCache.sizes[${index}]`, size, trace.footprintBytes),
  );
  const costs = costsByOwner(trace);
  const runs = sizes.flatMap((bytes) =>
    policies.map((policy): SimulationRun => {
      const result = replay(trace, policy, bytes);
      return {
        policy: policy.name,
        size: bytes / trace.footprintBytes,
        bytes,
        ...savingsOf(trace, result),
        costSavedInterval: ratioInterval(result.savedByOwner, costs, seededRandom(seed)),
        opsPerSecond: trace.length / Math.max(result.seconds, 1e-9),
      };
    }),
  );
  const ceiling = savingsOf(trace, replay(trace, lru(), Number.POSITIVE_INFINITY));
  const { length: requestCount, keys, owners, footprintBytes } = trace;
  return { requests: requestCount, keys: keys.length, owners: owners.length, footprintBytes, ceiling, runs };
}

function policiesOf(policies: readonly Eviction[]): readonly Eviction[] {
  const names = new Set(policies.map(({ name }) => name));
  if (names.size === policies.length && names.size > 0) return policies;
  throw new OptionError("simulateCache.policies", [...names], "at least one policy, each with a name of its own");
}

function sizeOf(option: string, size: Bytes, footprintBytes: number): number {
  if (typeof size === "number" && size <= 1) return numberIn(option, size, Number.MIN_VALUE, 1) * footprintBytes;
  return byteCount(option, size, { min: 1 });
}

function savingsOf(trace: CacheTrace, { hits, hitBytes, savedCost, savedMs }: Replay): Savings {
  const share = (part: number, whole: number) => (whole > 0 ? part / whole : 0);
  return {
    hitRatio: share(hits, trace.length),
    byteHitRatio: share(hitBytes, sum(trace.bytes)),
    costSaved: share(savedCost, sum(trace.cost)),
    latencySaved: trace.timed ? share(savedMs, sum(trace.tookMs)) : undefined,
  };
}

function costsByOwner({ owners, ownerOf, cost }: CacheTrace): Float64Array {
  const costs = new Float64Array(owners.length);
  for (const [row, owner] of ownerOf.entries()) costs[owner] = (costs[owner] as number) + (cost[row] as number);
  return costs;
}

function sum(values: Float64Array): number {
  return values.reduce((total, value) => total + value, 0);
}
