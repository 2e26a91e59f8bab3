import {
  type Clock,
  type Duration,
  durationMs,
  knownKeys,
  OptionError,
  oneOf,
  PRIORITY_LEVELS,
  type Priority,
  priorityLevel,
  systemClock,
} from "../core/index.ts";
import type { Optimizer } from "../optimizer.ts";

/**
 * When a value is loaded and how long it is kept:
 * `on-demand` loads at every `get` and keeps nothing; `lazy` loads at the first `get` and keeps the value;
 * `preload` loads at once, and then is as `lazy`; `cached` keeps the value for `ttl`, after which the next `get` has
 * it refreshed in the background.
 */
export type LazyStrategy = "on-demand" | "lazy" | "preload" | "cached";

export interface LazyOptions {
  /** Default `"lazy"`. */
  readonly strategy?: LazyStrategy | undefined;
  /** How long a value is fresh, at least 1 ms: for `cached`, which needs it, and for no other. */
  readonly ttl?: Duration | undefined;
  /**
   * How long after `ttl` the old value is still given while it is refreshed, or while that fails. Then `get` waits for
   * a load. For `cached` alone. Default as `ttl`.
   */
  readonly grace?: Duration | undefined;
  /** How long after a failed load the next one may not begin: `get` rejects with the same error. Default 0. */
  readonly backoff?: Duration | undefined;
  /** Order in `preloadAll`, and with `optimizer` the priority of calls that the loader makes. Default `"normal"`. */
  readonly priority?: Priority | undefined;
  /** Runs the loader in its scope, and tells the time. */
  readonly optimizer?: Pick<Optimizer, "run" | "line"> | undefined;
  /** Default that of `optimizer`, or real time. */
  readonly clock?: Clock | undefined;
}

export interface LazySettings {
  readonly strategy: LazyStrategy;
  readonly ttlMs: number;
  readonly graceMs: number;
  readonly backoffMs: number;
  readonly priority: number;
  readonly clock: Clock;
  /** Runs a loader where its calls have the priority. */
  readonly within: <T>(fn: () => T) => T;
}

const KEYS = ["strategy", "ttl", "grace", "backoff", "priority", "optimizer", "clock"];
const STRATEGIES = ["on-demand", "lazy", "preload", "cached"] as const;

/** Reads the options. Throws `OptionError`. */
export function readOptions(options: LazyOptions): LazySettings {
  knownKeys("lazy", options, KEYS);
  const { backoff = 0, priority, optimizer, clock } = options;
  const strategy = oneOf("lazy.strategy", options.strategy ?? "lazy", STRATEGIES);
  const level = priority === undefined ? undefined : priorityLevel("lazy.priority", priority);
  if (optimizer !== undefined && typeof optimizer?.run !== "function") {
    throw new OptionError("lazy.optimizer", optimizer, "an optimizer");
  }
  return {
    strategy,
    ...readTimes(strategy, options),
    backoffMs: durationMs("lazy.backoff", backoff),
    priority: level ?? PRIORITY_LEVELS.normal,
    clock: clock ?? optimizer?.line.runtime.clock ?? systemClock,
    within: optimizer === undefined || priority === undefined ? (fn) => fn() : (fn) => optimizer.run({ priority }, fn),
  };
}

function readTimes(strategy: LazyStrategy, { ttl, grace }: LazyOptions): { ttlMs: number; graceMs: number } {
  if (strategy !== "cached") {
    for (const [name, value] of Object.entries({ ttl, grace })) {
      if (value !== undefined) throw new OptionError(`lazy.${name}`, value, 'nothing unless `strategy` is "cached"');
    }
    return { ttlMs: Number.POSITIVE_INFINITY, graceMs: 0 };
  }
  const ttlMs = durationMs("lazy.ttl", ttl, { min: 1 });
  return { ttlMs, graceMs: grace === undefined ? ttlMs : durationMs("lazy.grace", grace) };
}
