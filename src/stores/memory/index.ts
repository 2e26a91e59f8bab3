import {
  type Bytes,
  byteCount,
  type Duration,
  durationMs,
  integerIn,
  knownKeys,
  numberIn,
  OptionError,
} from "../../core/index.ts";
import { type Eviction, gdsf } from "../eviction/index.ts";
import type { Tier } from "../tier.ts";
import { MemoryStore } from "./memory-store.ts";

export interface MemoryOptions {
  /** Most entries to hold. Default 10,000. */
  readonly maxEntries?: number;
  /** Most bytes of heap to take. An entry that needs more than an eighth of it is not kept. Default `"64mb"`. */
  readonly maxBytes?: Bytes;
  /** Longest time to keep an entry here; default as long as the cache says. */
  readonly ttl?: Duration | undefined;
  /** Which entry goes when there is no room: one of `breakwater/eviction`, or your own. Default `gdsf()`. */
  readonly eviction?: Eviction | undefined;
  /**
   * Most of `maxBytes` that the entries of one owner may take, above 0 and up to 1; an owner is a credential and
   * `client`. What goes beyond it are the owner's own entries. Default 1: owners are not told apart.
   */
  readonly maxOwnerShare?: number | undefined;
}

export const MEMORY_DEFAULTS = {
  maxEntries: 10_000,
  maxBytes: "64mb",
  maxOwnerShare: 1,
} as const satisfies MemoryOptions;

/** A tier in the heap of this process: the fastest, gone with the process. Throws {@link OptionError}. */
export function memory(options: MemoryOptions = {}): Tier {
  knownKeys("memory", options, ["maxEntries", "maxBytes", "ttl", "eviction", "maxOwnerShare"]);
  const { ttl } = options;
  const bounds = {
    maxEntries: integerIn("memory.maxEntries", options.maxEntries ?? MEMORY_DEFAULTS.maxEntries, 1),
    maxBytes: byteCount("memory.maxBytes", options.maxBytes ?? MEMORY_DEFAULTS.maxBytes, { min: 1024 }),
    maxOwnerShare: numberIn(
      "memory.maxOwnerShare",
      options.maxOwnerShare ?? MEMORY_DEFAULTS.maxOwnerShare,
      Number.MIN_VALUE,
      1,
    ),
  };
  const eviction = evictionOf(options.eviction ?? gdsf());
  return {
    name: "memory",
    ttlMs: ttl === undefined ? undefined : durationMs("memory.ttl", ttl, { min: 1 }),
    maxBytes: bounds.maxBytes,
    open: (runtime) => new MemoryStore(bounds, eviction, runtime),
  };
}

function evictionOf(value: Eviction): Eviction {
  if (typeof value?.name === "string" && typeof value.create === "function") return value;
  throw new OptionError("memory.eviction", value, 'a policy such as gdsf() or lru() of "breakwater/eviction"');
}
