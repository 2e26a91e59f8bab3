import { defaultRuntime, type Policy, type Runtime } from "../../core/index.ts";
import type { HealthState } from "./health.ts";
import { type FallbackOptions, type FallbackStrategy, readFallbackOptions } from "./options.ts";
import { Router } from "./router.ts";

export type { HealthState } from "./health.ts";
export {
  type AffinityOptions,
  FALLBACK_DEFAULTS,
  type FallbackFaultKind,
  type FallbackOptions,
  type FallbackStrategy,
} from "./options.ts";

export interface PlaceSnapshot {
  readonly state: HealthState;
  /** The part it takes of the calls it would have if it were up: 0 to 1. */
  readonly share: number;
  readonly inFlight: number;
  readonly answered: number;
  readonly failed: number;
  /** US dollars, of answers that told their usage; 0 without a price. */
  readonly costUsd: number;
}

export interface FallbackSnapshot {
  readonly strategy: FallbackStrategy;
  /** Beginnings of prompts that stick to a target. */
  readonly stuck: number;
  /** By target and model; a call's own target by provider, model and credential. */
  readonly targets: Readonly<Record<string, PlaceSnapshot>>;
}

export interface FallbackPolicy extends Policy {
  readonly name: "fallback";
  readonly runtime: Runtime;
  /**
   * Changes options for calls that begin from now on; `targets` and `own` are replaced as a whole, and what is known of a
   * target of the same name stays. Throws `OptionError` and then changes nothing.
   */
  update(options: Partial<FallbackOptions>): void;
  snapshot(): FallbackSnapshot;
  /** Calls under way move on no more. */
  close(): void;
}

/**
 * Sends a call elsewhere when its own target cannot answer it, or spreads calls over several targets. Stands in the call
 * ring, inside of cache, coalesce and pool and outside of retry: at each target a call passes that target's own retries,
 * breaker, throttle and limits.
 *
 * Targets of the lowest `rank` are asked first, those of one rank share the calls by `strategy`. A call moves on after a
 * fault of a kind in `on`, and after a refusal of a target's breaker, budget, limit or throttle, which costs nothing; never after a
 * wrong request or an abort, nor once content has reached the caller. A prompt that is too long for one target moves
 * only to one with a larger `maxInputTokens`.
 *
 * A target with six failures in a row, or most of the latest, is given up; a rejected credential or a spent quota does it
 * at once. From then on one call every `probeEvery` tries it; after one success its share grows over `returnOver`. One
 * that fails again soon is left alone for twice as long, at most 30 s. When all are given up, the one that may be back
 * first is asked.
 *
 * Answers of another model than the one asked for are never kept by the cache as that one's.
 *
 * Throws `OptionError`.
 */
export function fallback(options: FallbackOptions, runtime: Runtime = defaultRuntime()): FallbackPolicy {
  let current = options;
  let settings = readFallbackOptions(options);
  const router = new Router(settings, runtime);
  return {
    name: "fallback",
    ring: "call",
    runtime,
    handle: (call, next) => router.run(call, next),
    update(changes) {
      const merged = { ...current, ...definedOnly(changes) };
      settings = readFallbackOptions(merged);
      current = merged;
      router.configure(settings);
    },
    close: () => router.close(),
    snapshot() {
      const now = runtime.clock.now();
      const targets: Record<string, PlaceSnapshot> = {};
      for (const [key, { health, inFlight, counts }] of router.places) {
        targets[key] = { state: health.state, share: health.share(now, settings), inFlight, ...counts };
      }
      return { strategy: settings.strategy, stuck: router.affinity.size, targets };
    },
  };
}

function definedOnly(changes: Partial<FallbackOptions>): Partial<FallbackOptions> {
  return Object.fromEntries(Object.entries(changes).filter(([, value]) => value !== undefined));
}
