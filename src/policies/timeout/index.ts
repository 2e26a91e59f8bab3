import { type Call, defaultRuntime, type Policy, type Runtime, type TimeoutPhase } from "../../core/index.ts";
import { AttemptWatch, type WatchObserver } from "./attempt-watch.ts";
import { FirstTokens } from "./first-tokens.ts";
import { limitsOf, readTimeoutOptions, type TimeoutOptions } from "./options.ts";

export { type AdaptiveFirstToken, TIMEOUT_DEFAULTS, type TimeoutOptions } from "./options.ts";

export interface TimeoutSnapshot {
  /** Limits in force in milliseconds; `null` for one that is off. That of `speed` is the window it is measured over. */
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
 * `firstToken`, `idle` and `minTokensPerSecond`. No more than one timer is armed per attempt, and none after its end.
 *
 * Throws `OptionError`.
 */
export function timeout(options: TimeoutOptions = {}, runtime: Runtime = defaultRuntime()): TimeoutPolicy {
  let settings = readTimeoutOptions(options);
  let limits = limitsOf(settings);
  const firstTokens = new FirstTokens();
  const fired = { attempt: 0, firstToken: 0, idle: 0, speed: 0 };
  let running = 0;
  const observer: WatchObserver = {
    spoke(call, afterMs) {
      if (settings.adaptive !== undefined) firstTokens.came(call, afterMs);
    },
    ended(call, phase, limitMs) {
      running--;
      if (phase === undefined) return;
      fired[phase]++;
      if (phase === "firstToken" && settings.adaptive !== undefined) firstTokens.wasCutOff(call, limitMs);
    },
  };
  const limitsFor = (call: Call) =>
    settings.adaptive === undefined ? limits : limitsOf(settings, firstTokens.limitMs(call, settings));

  return {
    name: "timeout",
    ring: "attempt",
    runtime,
    handle(call, next) {
      running++;
      return new AttemptWatch(limitsFor(call), runtime, call, observer).run(next);
    },
    update(changes) {
      settings = readTimeoutOptions(changes, settings);
      limits = limitsOf(settings);
    },
    snapshot: () => ({
      limits: {
        attempt: shown(limits.attempt),
        firstToken: shown(limits.firstToken),
        idle: shown(limits.idle),
        speed: shown(limits.speed),
      },
      running,
      fired: { ...fired },
    }),
  };
}

function shown(ms: number): number | null {
  return ms === Number.POSITIVE_INFINITY ? null : ms;
}
