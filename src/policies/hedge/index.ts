import { defaultRuntime, type Policy, type Runtime } from "../../core/index.ts";
import { Hedger, type HedgeSnapshot } from "./hedger.ts";
import { type HedgeOptions, readHedgeOptions } from "./options.ts";

export type { HedgeSnapshot } from "./hedger.ts";
export { HEDGE_DEFAULTS, type HedgeOptions } from "./options.ts";

export interface HedgePolicy extends Policy {
  readonly name: "hedge";
  readonly runtime: Runtime;
  /** Changes the running policy; what is left out stays. Throws `OptionError` and then changes nothing. */
  update(options: HedgeOptions): void;
  snapshot(): HedgeSnapshot;
}

/**
 * Sends a streamed call a second time when its first token takes longer than it nearly always does; whichever try gives
 * content first is the answer, and the other is cancelled at once. It stands right within retry and outside of breaker,
 * throttle and limits: the second try passes all of them again, and does not wait at any.
 *
 * The delay is the `quantile` of the times to first token that were lately seen for the same provider, model, credential and
 * input size (within a factor of four), from 50 on. There is at most one second try a call, on its first attempt only, and
 * none while the input tokens of second tries exceed `budget`, while calls are slower than usual in general, or where
 * `spare` says no. The loser is paid for: the limiter books its input and what it had said.
 *
 * Source: Dean and Barroso, "The Tail at Scale", Communications of the ACM, 2013.
 *
 * Throws `OptionError`.
 */
export function hedge(options: HedgeOptions = {}, runtime: Runtime = defaultRuntime()): HedgePolicy {
  let settings = readHedgeOptions(options);
  const hedger = new Hedger(settings, runtime);
  return {
    name: "hedge",
    ring: "race",
    runtime,
    handle: (call, next) => hedger.run(call, next),
    update(changes) {
      settings = readHedgeOptions(changes, settings);
      hedger.configure(settings);
    },
    snapshot: () => hedger.snapshot(),
  };
}
