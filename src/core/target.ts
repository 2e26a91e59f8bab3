import type { Call } from "./call.ts";
import type { Runtime } from "./runtime.ts";

/** US dollars per million tokens. */
export interface TargetPrice {
  readonly input: number;
  readonly output: number;
}

/** What is known of a place that can answer calls, for whoever chooses between several. */
export interface TargetTraits {
  /** Places of a lower rank are asked first; those of one rank share the calls. A whole number from 0 to 100. */
  readonly rank?: number | undefined;
  /** Its part of the calls, beside those of the same rank. Above 0. Default 1. */
  readonly weight?: number | undefined;
  /** How many calls it can work on, beside those of the same rank: what its calls in flight are divided by. Default 1. */
  readonly capacity?: number | undefined;
  readonly price?: TargetPrice | undefined;
  /** The longest input that fits its context window, in tokens. */
  readonly maxInputTokens?: number | undefined;
  /** Which calls may go there. Default all that it can be asked. Must not throw. */
  readonly when?: ((call: Call) => boolean) | undefined;
}

/** Another place that can answer a call. */
export interface Target extends TargetTraits {
  /** Short and free of secrets: events, traces and snapshots carry it. */
  readonly name: string;
  /** The model it asks for; `undefined`: that of the call. */
  readonly model: string | undefined;
  /**
   * A copy of the call that is sent there, or `undefined` where it cannot be, such as one that refers to what another
   * account has stored. Never throws nor rejects.
   */
  apply(call: Call, runtime: Runtime): Call | undefined | Promise<Call | undefined>;
}
