import type { Key } from "./key.ts";
import type { Unit } from "./meter.ts";
import type { Target } from "./target.ts";

/** One limit and what is taken of it. */
export interface LimitState {
  readonly unit: Unit;
  readonly windowMs: number;
  readonly limit: number;
  readonly taken: number;
}

/** What is known of one provider, model and credential. */
export interface TargetState {
  readonly key: string;
  /** Milliseconds until its gate opens; 0 when it is open. */
  readonly gatedMs: number;
  readonly waiting: number;
  readonly learned: readonly LimitState[];
}

export interface RateLimitSnapshot {
  readonly engine: "breakwater" | "bottleneck";
  readonly admitted: number;
  readonly refused: number;
  readonly waiting: number;
  /** The limits of the process. */
  readonly limits: readonly LimitState[];
  /** At most 100. */
  readonly targets: readonly TargetState[];
  /** How many clients, models and targets are remembered. */
  readonly keys: { readonly client: number; readonly model: number; readonly target: number };
}

/** What a limiter shows of itself. */
export interface LimiterState extends Pick<RateLimitSnapshot, "admitted" | "refused" | "waiting" | "keys"> {
  readonly global: Key;
  readonly targets: Iterable<Target>;
}

const TARGETS_SHOWN_MAX = 100;

export function limiterSnapshot({ global, targets, ...counts }: LimiterState, now: number): RateLimitSnapshot {
  const shown: TargetState[] = [];
  for (const target of targets) {
    if (shown.length === TARGETS_SHOWN_MAX) break;
    shown.push({
      key: target.name,
      gatedMs: Math.max(0, target.gateUntil - now),
      waiting: target.waiting,
      learned: limitsOf(target, now),
    });
  }
  return { engine: "breakwater", ...counts, limits: limitsOf(global, now), targets: shown };
}

function limitsOf(key: Key, now: number): LimitState[] {
  return key.meters.map((meter) => ({
    unit: meter.unit,
    windowMs: meter.windowMs,
    limit: meter.limit,
    taken: Math.max(0, meter.taken(now)),
  }));
}
