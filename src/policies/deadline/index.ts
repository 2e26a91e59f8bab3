import { type Duration, defaultRuntime, durationMs, knownKeys, type Policy, type Runtime } from "../../core/index.ts";
import { runUntil } from "./run-until.ts";

export interface DeadlineOptions {
  /**
   * The longest a call may take in all: waiting, every attempt and the body; `false` for no limit. Default `"5m"`;
   * `createOptimizer` takes the `timeout.total` of its profile.
   */
  readonly total?: Duration | false;
}

export const DEADLINE_DEFAULTS = { total: "5m" } as const satisfies DeadlineOptions;

export interface DeadlineSnapshot {
  /** The limit in milliseconds; `null` when it is off. */
  readonly totalMs: number | null;
  readonly running: number;
  /** How many calls ran out of time. */
  readonly exceeded: number;
}

export interface DeadlinePolicy extends Policy {
  /** Changes the limit for calls that begin from now on. Throws `OptionError` and then changes nothing. */
  update(options: DeadlineOptions): void;
  snapshot(): DeadlineSnapshot;
}

/**
 * Ends a call that takes too long in all. Stands outermost. The earlier of `total` and the deadline of the call's own
 * scope counts, and the policies within see it as `call.deadline`. When it passes, everything the call does is
 * cancelled and the caller gets `DeadlineExceededError`, at once; a stream under way ends with it.
 *
 * Throws `OptionError`.
 */
export function deadline(
  options: Duration | false | DeadlineOptions = {},
  runtime: Runtime = defaultRuntime(),
): DeadlinePolicy {
  let totalMs = readTotal(
    typeof options === "object" ? options : { total: options },
    durationMs("deadline.total", DEADLINE_DEFAULTS.total),
  );
  let running = 0;
  let exceeded = 0;
  const ended = (late: boolean): void => {
    running--;
    if (late) exceeded++;
  };

  return {
    name: "deadline",
    ring: "call",
    runtime,
    handle(call, next) {
      const now = runtime.clock.now();
      const dueAt = Math.min(call.deadline, now + totalMs);
      if (dueAt === Number.POSITIVE_INFINITY) return next(call);
      running++;
      return runUntil(runtime, call, next, dueAt, ended);
    },
    update(changes) {
      totalMs = readTotal(changes, totalMs);
    },
    snapshot: () => ({ totalMs: totalMs === Number.POSITIVE_INFINITY ? null : totalMs, running, exceeded }),
  };
}

function readTotal(options: DeadlineOptions, current: number): number {
  knownKeys("deadline", options, ["total"]);
  const { total } = options;
  if (total === undefined) return current;
  return total === false ? Number.POSITIVE_INFINITY : durationMs("deadline.total", total, { min: 1 });
}
