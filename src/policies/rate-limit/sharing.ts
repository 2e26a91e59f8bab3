import type { Clock, SharedQuotas } from "../../core/index.ts";
import type { Keys } from "./keys.ts";
import type { RateLimitSettings } from "./options.ts";
import type { Target } from "./target.ts";

/**
 * Lets `keys` draw from quotas that other processes draw from too, and follows what those meet: the gates of providers,
 * and the limits that they tell. `widened` is called with a target whose limits have changed. Ends with what it gives back.
 */
export function shareKeys(
  keys: Keys,
  quotas: SharedQuotas,
  clock: Clock,
  settings: () => RateLimitSettings,
  widened: (target: Target) => void,
): () => void {
  keys.shareWith(quotas);
  const endGates = quotas.onGate((key, forMs) => {
    const now = clock.now();
    keys.targetNamed(key, now)?.closeGate(now + forMs, now);
  });
  const endLimits = quotas.onLimits((key, limits) => {
    const now = clock.now();
    const { learn, burstMs } = settings();
    const target = learn ? keys.targetNamed(key, now) : undefined;
    if (target === undefined) return;
    for (const limit of limits) target.follow(limit, burstMs, now);
    target.share?.setLimits(target.learnedLimits, now);
    widened(target);
  });
  return () => {
    endGates();
    endLimits();
    keys.unshare();
  };
}
