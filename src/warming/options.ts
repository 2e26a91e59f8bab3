import {
  booleanOf,
  type Duration,
  durationMs,
  functionOf,
  integerIn,
  knownKeys,
  OptionError,
  type Priority,
  resolveScope,
  type Scope,
} from "../core/index.ts";
import type { WarmProgress } from "./progress.ts";
import { checkSource, type WarmSource } from "./source.ts";

export interface WarmContext {
  /** Aborted when the warming is stopped. */
  readonly signal: AbortSignal;
}

/** One thing to do: it makes one call or several of the optimizer's. */
export type WarmCall = (context: WarmContext) => unknown;

export interface WarmOptions<T> {
  /**
   * What to ask: functions, or items for `ask`, such as requests, or the texts of `prompts()`. A function gives them
   * anew for each pass. An item is taken when it is its turn, so they may be many.
   */
  readonly calls: WarmSource<T | WarmCall>;
  /** Asks for an item that is no function. A stream or a `Response` that it gives is read to its end. */
  readonly ask?: ((item: T, context: WarmContext) => unknown) | undefined;
  /** Default `"background"`: whoever waits for a slot beside it goes first. */
  readonly priority?: Priority | undefined;
  /** What else the calls want: `tags`, `ttl`, `client`, `cache: "refresh"` ... */
  readonly scope?: Omit<Scope, "priority"> | undefined;
  /** Items under way at once, 1 to 1,000. Default 2. */
  readonly concurrency?: number | undefined;
  /** From the start of a pass to that of the next, or to its own end if that is later. Default: one pass. */
  readonly interval?: Duration | undefined;
  /** Whether waiting for the next pass keeps the process alive. Default false. */
  readonly keepAlive?: boolean | undefined;
  /** How long an item that is refused is tried again, at the times that refusals tell. Default `"5m"`. */
  readonly patience?: Duration | undefined;
  /** Stops the warming. */
  readonly signal?: AbortSignal | undefined;
  /** Called after each item. */
  readonly onProgress?: ((progress: WarmProgress) => void) | undefined;
}

export const WARM_DEFAULTS = { priority: "background", concurrency: 2, patience: "5m", keepAlive: false } as const;

export interface WarmSettings {
  readonly source: WarmSource<unknown>;
  readonly ask: ((item: unknown, context: WarmContext) => unknown) | undefined;
  readonly scope: Scope;
  readonly concurrency: number;
  readonly intervalMs: number | undefined;
  readonly keepAlive: boolean;
  readonly patienceMs: number;
  readonly onProgress: ((progress: WarmProgress) => void) | undefined;
}

const CONCURRENCY_MAX = 1_000;
const KEYS = ["calls", "ask", "scope", "interval", "signal", "onProgress", ...Object.keys(WARM_DEFAULTS)];

/** Reads the options. Throws `OptionError`. */
export function readOptions<T>(options: WarmOptions<T>): WarmSettings {
  knownKeys("warm", options, KEYS);
  const { calls, ask, interval, signal, onProgress } = options;
  const { priority = WARM_DEFAULTS.priority, concurrency = WARM_DEFAULTS.concurrency } = options;
  const { patience = WARM_DEFAULTS.patience, keepAlive = WARM_DEFAULTS.keepAlive } = options;
  checkSource("warm.calls", calls, interval !== undefined);
  if (ask !== undefined) functionOf("warm.ask", ask);
  if (onProgress !== undefined) functionOf("warm.onProgress", onProgress);
  if (signal !== undefined && !(signal instanceof AbortSignal)) {
    throw new OptionError("warm.signal", signal, "an AbortSignal");
  }
  const scope = { ...options.scope, priority };
  resolveScope(scope);
  return {
    source: calls,
    ask: ask as WarmSettings["ask"],
    scope,
    concurrency: integerIn("warm.concurrency", concurrency, 1, CONCURRENCY_MAX),
    intervalMs: interval === undefined ? undefined : durationMs("warm.interval", interval, { min: 1 }),
    keepAlive: booleanOf("warm.keepAlive", keepAlive),
    patienceMs: durationMs("warm.patience", patience),
    onProgress,
  };
}
