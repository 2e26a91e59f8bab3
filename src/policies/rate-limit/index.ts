import {
  type Call,
  defaultRuntime,
  OptionError,
  type Policy,
  type Runtime,
  type SharedQuotas,
} from "../../core/index.ts";
import { BottleneckEngine } from "./bottleneck.ts";
import { Limiter } from "./limiter.ts";
import { type RateLimitOptions, readRateLimitOptions } from "./options.ts";
import { limiterSnapshot, type RateLimitSnapshot } from "./snapshot.ts";

export { ACCOUNTING_DEFAULTS, type Accounting, type TokenAccounting } from "./accounting.ts";
export type { BottleneckGroupLike, BottleneckLike } from "./bottleneck.ts";
export type { RateLimits } from "./limits.ts";
export { RATE_LIMIT_DEFAULTS, type RateLimitOptions } from "./options.ts";
export type { LimitState, RateLimitSnapshot, TargetState } from "./snapshot.ts";

export interface RateLimitPolicy extends Policy {
  /**
   * Changes options while calls run and wait; what is taken stays taken. The objects among them are replaced as a whole,
   * `limiter` cannot be changed. Throws `OptionError` and then changes nothing.
   */
  update(options: RateLimitOptions): void;
  /**
   * From now on also draws from quotas that several processes share, and shares the gates of providers; what it gives
   * back ends that. Without effect for a `limiter` of your own.
   */
  share(quotas: SharedQuotas): () => void;
  /**
   * Whether a call like this one would pass at once, and at least `share` (0 to 1) of each of its limits is free: of what it
   * takes at once, and of what it lets flow in ten seconds. That is what a hedge asks. Always true for a `limiter` of your own, which cannot be asked.
   */
  hasRoom(call: Call, share: number): boolean;
  snapshot(): RateLimitSnapshot;
  close(): void;
}

/**
 * Keeps calls within limits: your own for the process and for each model, credential, client and value of a label, and
 * those that providers tell in their responses, for each model and credential. Stands close to the wire, so that every try counts.
 *
 * A call that does not fit waits in order of priority. One that cannot be admitted before its deadline, or that finds
 * `maxQueue` others waiting, is refused with `RateLimitError`, whose `retryAfterMs` tells when there will be room. A
 * caller that gives up leaves the queue at once.
 *
 * Requests and tokens are taken in one step, tokens by an estimate that learns from what answers really used, and
 * corrected when the body is over. A call larger than a limit is let through alone.
 *
 * A response that says "not before" closes one gate for all calls of that model and credential; afterwards they are
 * let through at the pace of the limit, most urgent first.
 *
 * Throws `OptionError`.
 */
export function rateLimit(options: RateLimitOptions = {}, runtime: Runtime = defaultRuntime()): RateLimitPolicy {
  let settings = readRateLimitOptions(options);
  const common = { name: "rateLimit", ring: "attempt", runtime } as const;

  if (settings.limiter !== undefined) {
    const engine = new BottleneckEngine(settings.limiter, runtime);
    return {
      ...common,
      handle: (call, next) => engine.handle(call, next),
      update(changes) {
        if (Object.values(changes).every((value) => value === undefined)) return;
        throw new OptionError("rateLimit", changes, "no changes while a limiter of your own is used: change that one");
      },
      share: () => () => {},
      hasRoom: () => true,
      snapshot: () => engine.snapshot(),
      close: () => engine.close(),
    };
  }

  const limiter = new Limiter(settings, runtime);
  return {
    ...common,
    handle: (call, next) => limiter.handle(call, next),
    update(changes) {
      if (changes.limiter !== undefined) {
        throw new OptionError("rateLimit.limiter", changes.limiter, "no change while calls run");
      }
      settings = readRateLimitOptions(changes, settings);
      limiter.configure(settings);
    },
    share: (quotas) => limiter.share(quotas),
    hasRoom: (call, share) => limiter.hasRoom(call, share),
    snapshot: () => limiterSnapshot(limiter.state(), runtime.clock.now()),
    close: () => limiter.close(),
  };
}
