import {
  aborted,
  type Call,
  ClosedError,
  defaultRuntime,
  faultOf,
  Keyed,
  type Next,
  type Outcome,
  type Policy,
  type Runtime,
} from "../../core/index.ts";

import { ConditionShedding } from "./condition-shedding.ts";
import { type Permit, Permits } from "./permits.ts";
import { THROTTLE_DEFAULTS, type ThrottleOptions, throttleSettings } from "./settings.ts";
import type { TargetSnapshot } from "./snapshot.ts";

export {
  CLIENT_THROTTLING_DEFAULTS,
  type ClientThrottlingOptions,
  THROTTLE_DEFAULTS,
  type ThrottleOptions,
} from "./settings.ts";
export type { TargetSnapshot } from "./snapshot.ts";

/** How many targets are kept apart; idle ones make room for new ones. */
const TARGETS_MAX = 1_000;
/** The share that is shed is another one with each sample of the process's condition. */
const SHED_RETRY_MS = 1_000;

export interface ThrottlePolicy extends Policy {
  readonly name: "throttle";
  readonly runtime: Runtime;
  /**
   * Changes the running throttle. Limits keep what they have learned; a new `initial` is for those that have learned
   * nothing yet, and `adaptive: false` sets every limit to it.
   */
  update(options: ThrottleOptions): void;
  /** Every target by key: provider, model and credential. */
  snapshot(): Record<string, TargetSnapshot>;
  /** Refuses everybody who waits, and whoever comes later, with `ClosedError`. */
  close(): void;
}

/**
 * Keeps as many calls at a provider as it can work on, separately for each provider, model and credential. The limit is
 * learned from the time per output token, which grows with the provider's load and not with the length of an answer, and
 * from the time to the first token by what had to be read; it is cut at once when the provider says that it is
 * overloaded or a call times out.
 *
 * A permit is held until the reply is settled, which for a stream is its end. Calls beyond the limit wait by priority;
 * one that cannot be admitted in time is refused with `ThrottleError`, at once where that can be told.
 *
 * Throws {@link OptionError} for a wrong option.
 */
export function throttle(options: ThrottleOptions = {}, runtime: Runtime = defaultRuntime()): ThrottlePolicy {
  let settings = throttleSettings(options, THROTTLE_DEFAULTS);
  let shedding = settings.conditions === false ? undefined : new ConditionShedding(settings.conditions, runtime);
  let closed = false;
  const targets = new Keyed<Permits>(
    TARGETS_MAX,
    (key) => new Permits(key, settings, runtime),
    (permits) => permits.isIdle,
  );

  return {
    name: "throttle",
    ring: "attempt",
    runtime,
    handle(call, next) {
      if (call.cancellation.cancelled) return Promise.resolve(aborted(call.cancellation.reason));
      if (closed) return Promise.resolve(faultOf({ kind: "refused", error: new ClosedError() }));
      const permits = targets.get(call.target);
      if (shedding?.refuses(call.scope.priority)) {
        return Promise.resolve(permits.refuse(call, "condition", SHED_RETRY_MS));
      }
      const refused = permits.refusalOf(call);
      if (refused !== undefined) return Promise.resolve(refused);
      const permit = permits.take(call);
      return permit === undefined ? waitAndPass(permits, call, next) : pass(permits, permit, call, next);
    },
    update(changes) {
      const before = settings;
      settings = throttleSettings(changes, settings);
      if (settings.conditions !== before.conditions && !closed) {
        shedding?.close();
        shedding = settings.conditions === false ? undefined : new ConditionShedding(settings.conditions, runtime);
      }
      for (const [, permits] of targets) permits.configure(settings);
    },
    snapshot: () =>
      Object.fromEntries(
        [...targets].map(([key, permits]) => [key, { ...permits.snapshot, shedding: shedding?.share ?? 0 }]),
      ),
    close() {
      closed = true;
      shedding?.close();
      for (const [, permits] of targets) permits.close();
    },
  };
}

async function waitAndPass(permits: Permits, call: Call, next: Next): Promise<Outcome> {
  const answer = await permits.wait(call);
  return "lease" in answer ? pass(permits, answer, call, next) : answer;
}

async function pass(permits: Permits, permit: Permit, call: Call, next: Next): Promise<Outcome> {
  const outcome = await next(call);
  permits.judge(permit, outcome);
  if (outcome.ok) outcome.settled.subscribe((settlement) => permits.ended(permit, settlement));
  else permits.ended(permit, { fault: outcome, usage: undefined });
  return outcome;
}
