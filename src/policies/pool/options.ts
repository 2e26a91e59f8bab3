import {
  type Duration,
  durationMs,
  integerIn,
  knownKeys,
  numberIn,
  OptionError,
  textOf,
  type WaitRules,
} from "../../core/index.ts";

/** A part of the pool with a share of its own. */
export interface PartitionOptions {
  /** Of the slots and of the places in the queue, above 0 and at most 1; all shares together are at most 1. */
  readonly share: number;
}

export interface PoolOptions {
  /** How many calls may run at once, streams until their end included. At least 1. Default 64. */
  readonly concurrency?: number | undefined;
  /** How many calls may wait. 0 lets none wait. Default 10,000. */
  readonly maxQueue?: number | undefined;
  /**
   * After how long a wait of its oldest a priority is served as the next more urgent class is, and so on for each
   * further wait of that length; it stays behind the most urgent class that waits. `false` for never. Default 30 s.
   */
  readonly ageing?: Duration | false | undefined;
  /**
   * From which wait of its oldest on a priority is served newest first, so that under an overload that lasts some calls
   * are answered while they are still wanted. Default `false`: in order.
   */
  readonly newestFirstAfter?: Duration | false | undefined;
  /**
   * Parts of the pool by name, for calls whose scope names one. Each has its share of the slots while others want them
   * too, and lends what it does not use. Calls of none have the rest. Default none.
   */
  readonly partitions?: Readonly<Record<string, PartitionOptions>> | undefined;
}

export const POOL_DEFAULTS = {
  concurrency: 64,
  maxQueue: 10_000,
  ageing: "30s",
  newestFirstAfter: false,
  partitions: {},
} as const;

/** Options that have been read. */
export interface PoolSettings {
  readonly concurrency: number;
  readonly maxQueue: number;
  readonly rules: WaitRules;
  readonly shares: ReadonlyMap<string, number>;
}

const DEFAULT_SETTINGS: PoolSettings = {
  concurrency: POOL_DEFAULTS.concurrency,
  maxQueue: POOL_DEFAULTS.maxQueue,
  rules: { ageingMs: 30_000, newestFirstMs: Number.POSITIVE_INFINITY },
  shares: new Map(),
};

const PARTITIONS_MAX = 100;

/** Reads options; what they leave out comes from `base`. Throws `OptionError`. */
export function readPoolOptions(options: PoolOptions, base: PoolSettings = DEFAULT_SETTINGS): PoolSettings {
  knownKeys("pool", options, Object.keys(POOL_DEFAULTS));
  const { concurrency = base.concurrency, maxQueue = base.maxQueue, ageing, newestFirstAfter, partitions } = options;
  return {
    concurrency: integerIn("pool.concurrency", concurrency, 1),
    maxQueue: integerIn("pool.maxQueue", maxQueue, 0),
    rules: {
      ageingMs: ageing === undefined ? base.rules.ageingMs : orNever("pool.ageing", ageing, 0),
      newestFirstMs:
        newestFirstAfter === undefined
          ? base.rules.newestFirstMs
          : orNever("pool.newestFirstAfter", newestFirstAfter, Number.POSITIVE_INFINITY),
    },
    shares: partitions === undefined ? base.shares : readShares(partitions),
  };
}

function orNever(option: string, value: unknown, never: number): number {
  return value === false ? never : durationMs(option, value, { min: 1 });
}

function readShares(partitions: unknown): ReadonlyMap<string, number> {
  const option = "pool.partitions";
  const names = Object.keys(typeof partitions === "object" && partitions !== null ? partitions : {});
  const given = Object.entries(knownKeys(option, partitions, names));
  if (given.length > PARTITIONS_MAX) throw new OptionError(option, partitions, `at most ${PARTITIONS_MAX} partitions`);
  const shares = new Map(
    given.map(([name, part]) => {
      textOf(option, name);
      const { share } = knownKeys(`${option}.${name}`, part, ["share"]);
      return [name, numberIn(`${option}.${name}.share`, share, Number.EPSILON, 1)];
    }),
  );
  const sum = [...shares.values()].reduce((total, share) => total + share, 0);
  // Three thirds may add up to a little more than one.
  if (sum > 1 + 1e-9) throw new OptionError(option, partitions, "shares that are together at most 1");
  return shares;
}
