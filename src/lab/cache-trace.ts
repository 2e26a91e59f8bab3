import { OptionError } from "../core/index.ts";

/** One request of a trace, in the order they came. */
export interface CacheRequest {
  /** What a cache would look it up by. Requests of one key are the same question. */
  readonly key: string;
  /** What keeping the answer takes. Above 0. */
  readonly bytes: number;
  /** What asking the provider costs, in a unit of your own: dollars, tokens. At least 0. */
  readonly cost: number;
  /** How long asking the provider takes, in milliseconds. */
  readonly tookMs?: number | undefined;
  /** Whose request it is. */
  readonly owner?: string | undefined;
  /** When it came, in milliseconds from any origin. */
  readonly at?: number | undefined;
  /** How long the answer may be given again, in milliseconds; it needs `at`. */
  readonly ttlMs?: number | undefined;
}

/** A trace that was read once, in columns: one row a request, with keys and owners as numbers. */
export interface CacheTrace {
  readonly length: number;
  readonly keys: readonly string[];
  readonly owners: readonly string[];
  readonly keyOf: Uint32Array;
  readonly ownerOf: Uint32Array;
  readonly bytes: Float64Array;
  readonly cost: Float64Array;
  readonly tookMs: Float64Array;
  readonly at: Float64Array;
  readonly ttlMs: Float64Array;
  /** Whether any request tells how long it took. */
  readonly timed: boolean;
  /** What the answers to all keys take together. */
  readonly footprintBytes: number;
}

/** Reads a trace. Throws {@link OptionError} for a request that is not one. */
export function cacheTraceOf(requests: Iterable<CacheRequest>): CacheTrace {
  const all = Array.isArray(requests) ? (requests as readonly CacheRequest[]) : [...requests];
  const [keys, owners] = [new Map<string, number>(), new Map<string, number>()];
  const column = (of: (request: CacheRequest) => number) => Float64Array.from(all, of);
  all.forEach(check);
  let footprintBytes = 0;
  const keyOf = Uint32Array.from(all, ({ key, bytes }) => {
    const size = keys.size;
    const number = numbered(keys, key);
    if (keys.size > size) footprintBytes += bytes;
    return number;
  });
  return {
    length: all.length,
    keyOf,
    ownerOf: Uint32Array.from(all, ({ owner = "" }) => numbered(owners, owner)),
    keys: [...keys.keys()],
    owners: [...owners.keys()],
    bytes: column(({ bytes }) => bytes),
    cost: column(({ cost }) => cost),
    tookMs: column(({ tookMs = 0 }) => tookMs),
    at: column(({ at = 0 }) => at),
    ttlMs: column(({ ttlMs = Number.POSITIVE_INFINITY }) => ttlMs),
    timed: all.some(({ tookMs }) => tookMs !== undefined),
    footprintBytes,
  };
}

function numbered(numbers: Map<string, number>, name: string): number {
  const known = numbers.get(name) ?? numbers.size;
  numbers.set(name, known);
  return known;
}

function check(request: CacheRequest, index: number): void {
  const { key, bytes, cost, tookMs = 0, at = 0, ttlMs = 1 } = request;
  const wrong = (field: string, value: unknown, accepted: string) =>
    new OptionError(`trace[${index}].${field}`, value, accepted);
  if (typeof key !== "string") throw wrong("key", key, "text");
  if (!(bytes > 0 && bytes < Number.POSITIVE_INFINITY)) throw wrong("bytes", bytes, "a number above 0");
  if (!(cost >= 0 && cost < Number.POSITIVE_INFINITY)) throw wrong("cost", cost, "a number of at least 0");
  if (!(tookMs >= 0 && tookMs < Number.POSITIVE_INFINITY)) throw wrong("tookMs", tookMs, "milliseconds of at least 0");
  if (!Number.isFinite(at)) throw wrong("at", at, "milliseconds");
  if (!(ttlMs > 0)) throw wrong("ttlMs", ttlMs, "milliseconds above 0");
}
