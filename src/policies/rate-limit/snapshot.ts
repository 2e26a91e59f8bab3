import type { Key, Rank } from "./key.ts";
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
  /** Calls that have passed and are not over. */
  readonly running: number;
  /** The limits of the process. */
  readonly limits: readonly LimitState[];
  /** At most 100. */
  readonly targets: readonly TargetState[];
  /** How many of each are remembered. */
  readonly keys: Readonly<Record<Exclude<Rank, "global">, number>>;
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
  return { engine: "breakwater", ...counts, running: global.running, limits: limitsOf(global, now), targets: shown };
}

// Where a limit has two meters, the first paces, and tells what is taken and has not flown off.
function limitsOf(key: Key, now: number): LimitState[] {
  const shown = key.meters.filter(
    ({ unit, windowMs }, index) =>
      index === key.meters.findIndex((first) => first.unit === unit && first.windowMs === windowMs),
  );
  return shown.map((meter) => ({
    unit: meter.unit,
    windowMs: meter.windowMs,
    limit: meter.limit,
    taken: Math.max(0, meter.taken(now)),
  }));
}
