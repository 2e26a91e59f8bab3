import { type Duration, durationMs, knownKeys } from "../core/index.ts";
import type { Aggregate, HealthReason, LabelFilter, Monitor } from "../monitor/index.ts";
import type { Optimizer } from "../optimizer.ts";

export interface HealthScoreOptions {
  /** How far back to look: 1 minute to 1 hour. Default `"15m"`. */
  readonly window?: Duration;
}

/** What took points, and why. */
export interface ScoreDeduction {
  /** `calls`, `throttled`, `retries`, `queue`, or a check of `monitor.health()`. */
  readonly check: string;
  readonly points: number;
  readonly detail: string;
}

export interface HealthScore {
  /** 0 to 100, where 100 is nothing to be found; absent with fewer than 20 calls and nothing else that is wrong. */
  readonly score: number | undefined;
  /** Calls that were looked at. */
  readonly calls: number;
  /** Most points first. */
  readonly reasons: readonly ScoreDeduction[];
}

const CALLS_MIN = 20;
const CALLS = "breakwater.calls";
const ATTEMPTS = "breakwater.attempts";
const UNANSWERED = [
  ...["overloaded", "server_error", "network", "timeout", "interrupted", "malformed", "rate_limited"],
  ...["quota_exhausted", "bad_credential", "unknown", "refused"],
];

/** What each check takes at most. A fifth of the calls without an answer leaves half of the score, half leaves nothing. */
const POINTS_MAX = { calls: 100, throttled: 15, retries: 10, queue: 10 } as const;
const POINTS_PER_REASON: Readonly<Record<string, number>> = { breaker: 15, cache: 10, alert: 20 };
const REASONS_POINTS_MAX = 45;

/** How the last minutes went, in one number, with what it is made of. Throws `OptionError`. */
export function healthScore({ monitor }: Pick<Optimizer, "monitor">, options: HealthScoreOptions = {}): HealthScore {
  knownKeys("healthScore", options, ["window"]);
  const window = durationMs("healthScore.window", options.window ?? "15m", { min: 60_000, max: 3_600_000 });
  const look = new Look(monitor, window as Duration);
  const calls = look.count(CALLS);
  const counted = calls < CALLS_MIN ? [] : [...ofCalls(look), ...ofTime(look)];
  const reasons = [...counted, ...ofState(monitor.health().reasons)].toSorted((a, b) => b.points - a.points);
  const lost = reasons.reduce((sum, { points }) => sum + points, 0);
  const unknown = calls < CALLS_MIN && reasons.length === 0;
  return { score: unknown ? undefined : Math.max(0, Math.round(100 - lost)), calls, reasons };
}

class Look {
  readonly #monitor: Monitor;
  readonly #window: Duration;

  constructor(monitor: Monitor, window: Duration) {
    this.#monitor = monitor;
    this.#window = window;
  }

  count(metric: string, labels: LabelFilter = {}): number {
    return this.value(metric, "count", labels) ?? 0;
  }

  value(metric: string, aggregate: Aggregate, labels: LabelFilter = {}): number | undefined {
    return this.#monitor.read(metric, { aggregate, window: this.#window, labels });
  }
}

function ofCalls(look: Look): ScoreDeduction[] {
  const answered = look.count(CALLS, { outcome: "success" });
  const unanswered = look.count(CALLS, { error_type: UNANSWERED });
  const attempts = look.count(ATTEMPTS);
  const first = look.count(ATTEMPTS, { kind: "first" });
  const lost = share(unanswered, answered + unanswered);
  const throttled = share(look.count(ATTEMPTS, { error_type: "rate_limited" }), attempts);
  const amplification = first === 0 ? 1 : attempts / first;
  return [
    ...deduction("calls", lost * 250, `${percent(lost)} of the calls got no answer`),
    ...deduction(
      "throttled",
      throttled * 150,
      `the provider refused ${percent(throttled)} of the attempts for its limit`,
    ),
    ...deduction("retries", (amplification - 1.1) * 20, `${amplification.toFixed(2)} attempts a call`),
  ];
}

function ofTime(look: Look): ScoreDeduction[] {
  const wait = look.value("breakwater.pool.wait", "p95") ?? 0;
  const whole = (look.value("breakwater.call.duration", "p95") ?? 0) / 1000;
  const queued = whole === 0 ? 0 : wait / whole;
  return deduction("queue", (queued - 0.1) * 20, `waits in the queue are ${percent(queued)} of a call's time (p95)`);
}

// Whether calls get an answer is told above, over a longer time.
function ofState(reasons: readonly HealthReason[]): ScoreDeduction[] {
  let left = REASONS_POINTS_MAX;
  return reasons.flatMap(({ check, detail }) => {
    const points = Math.min(left, POINTS_PER_REASON[check] ?? 0);
    left -= points;
    return points === 0 ? [] : [{ check, points, detail }];
  });
}

function deduction(check: keyof typeof POINTS_MAX, points: number, detail: string): ScoreDeduction[] {
  const taken = Math.round(Math.min(POINTS_MAX[check], points) * 10) / 10;
  return taken <= 0 ? [] : [{ check, points: taken, detail }];
}

function share(part: number, whole: number): number {
  return whole === 0 ? 0 : part / whole;
}

function percent(value: number): string {
  return `${Number((value * 100).toPrecision(2))} %`;
}
