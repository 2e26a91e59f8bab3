import {
  type Duration,
  defaultRuntime,
  durationMs,
  knownKeys,
  type Policy,
  type Runtime,
  type TimeoutPhase,
} from "../../core/index.ts";
import type { AttemptLimits } from "./attempt-clocks.ts";
import { AttemptWatch } from "./attempt-watch.ts";

/** Limits of one attempt; `false` switches one off. */
export interface TimeoutOptions {
  /** The whole attempt, body included. Default `"60s"`; `createOptimizer` takes its profile's. */
  readonly attempt?: Duration | false;
  /** From sending until the first content of a stream. Default `"20s"`, or the profile's. Whole replies have `attempt` only. */
  readonly firstToken?: Duration | false;
  /** Between two chunks of a stream, while somebody waits for the next one. Default `"15s"`, or the profile's. */
  readonly idle?: Duration | false;
}

export const TIMEOUT_DEFAULTS = { attempt: "60s", firstToken: "20s", idle: "15s" } as const satisfies TimeoutOptions;

export interface TimeoutSnapshot {
  /** Limits in force in milliseconds; `null` for one that is off. */
  readonly limits: Readonly<Record<TimeoutPhase, number | null>>;
  readonly running: number;
  /** How often each limit was reached. */
  readonly fired: Readonly<Record<TimeoutPhase, number>>;
}

export interface TimeoutPolicy extends Policy {
  /** Changes limits for attempts that begin from now on. Throws `OptionError` and then changes nothing. */
  update(options: TimeoutOptions): void;
  snapshot(): TimeoutSnapshot;
}

/**
 * Ends an attempt whose provider is too slow: cancels it and answers with a fault of kind `timeout`
 * (`UpstreamTimeoutError`, which names the phase). Stands innermost, so that time spent waiting for a limit does not
 * count. A stream that already gave content ends with the fault as its settlement.
 *
 * Keep-alive comments do not count as progress; time in which the reader does not ask for more does not count against
 * `firstToken` and `idle`. No more than one timer is armed per attempt, and none after its end.
 *
 * Throws `OptionError`.
 */
export function timeout(options: TimeoutOptions = {}, runtime: Runtime = defaultRuntime()): TimeoutPolicy {
  let limits = readLimits(options, {
    attempt: durationMs("timeout.attempt", TIMEOUT_DEFAULTS.attempt),
    firstToken: durationMs("timeout.firstToken", TIMEOUT_DEFAULTS.firstToken),
    idle: durationMs("timeout.idle", TIMEOUT_DEFAULTS.idle),
  });
  const fired = { attempt: 0, firstToken: 0, idle: 0 };
  let running = 0;
  const ended = (phase: TimeoutPhase | undefined): void => {
    running--;
    if (phase !== undefined) fired[phase]++;
  };

  return {
    name: "timeout",
    ring: "attempt",
    runtime,
    handle(call, next) {
      running++;
      return new AttemptWatch(limits, runtime, call, ended).run(next);
    },
    update(changes) {
      limits = readLimits(changes, limits);
    },
    snapshot: () => ({
      limits: { attempt: shown(limits.attempt), firstToken: shown(limits.firstToken), idle: shown(limits.idle) },
      running,
      fired: { ...fired },
    }),
  };
}

function readLimits(options: TimeoutOptions, current: AttemptLimits): AttemptLimits {
  knownKeys("timeout", options, ["attempt", "firstToken", "idle"]);
  const read = (phase: TimeoutPhase): number => {
    const value = options[phase];
    if (value === undefined) return current[phase];
    return value === false ? Number.POSITIVE_INFINITY : durationMs(`timeout.${phase}`, value, { min: 1 });
  };
  return { attempt: read("attempt"), firstToken: read("firstToken"), idle: read("idle") };
}

function shown(ms: number): number | null {
  return ms === Number.POSITIVE_INFINITY ? null : ms;
}
