import type { Scope } from "../../core/index.ts";
import type { OptimizerOptions } from "../../optimizer.ts";
import type { ProfileName } from "../../profiles.ts";
import type { FaultSpec, LimitOptions, ProviderModelOptions } from "../../testing/index.ts";

/** Options of the optimizer that is simulated; time, chance, provider and environment come from the simulation. */
export type SimulatedOptimizer = Omit<OptimizerOptions, "clock" | "random" | "fetch" | "environment">;

/** Options of the provider that is simulated. */
export type SimulatedProviderOptions = Omit<ProviderModelOptions, "clock" | "seed" | "faults">;

/** Somebody asks. Times are milliseconds of the simulation. */
export interface AskAction {
  readonly kind: "ask";
  readonly at: number;
  /** Through `optimizer.fetch`, or a function through `optimizer.call`. */
  readonly via: "fetch" | "function";
  readonly question: number;
  readonly model: string;
  readonly stream: boolean;
  readonly scope: Scope;
  /** Gives up so long after asking. */
  readonly abortAfter?: number;
  /** Reads so many chunks of a stream and leaves. */
  readonly leaveAfter?: number;
  /** Pauses so long before each chunk. */
  readonly readEvery?: number;
  /** Takes back what it was given of an answer that begins anew: `scope.onRestart`. */
  readonly takesBack?: boolean;
  readonly work: FunctionWork;
}

/** What a function does when it is called instead of the provider. */
export interface FunctionWork {
  /** Until its value, or between two items of a stream. */
  readonly takes: number;
  readonly items: number;
  /** How many attempts throw before one succeeds. */
  readonly failures: number;
  /** How many items a failing attempt of a stream yields before it throws. */
  readonly failsAfter: number;
  /** Goes on when it is told to stop. */
  readonly deaf: boolean;
}

export type Action =
  | AskAction
  | { readonly kind: "tune"; readonly at: number; readonly profile: ProfileName }
  | { readonly kind: "invalidate"; readonly at: number; readonly tag: string | undefined }
  | { readonly kind: "limits"; readonly at: number; readonly limits: LimitOptions }
  | { readonly kind: "fault"; readonly at: number; readonly fault: FaultSpec | undefined }
  | {
      readonly kind: "job";
      readonly at: number;
      readonly id: string;
      readonly takes: number;
      readonly cancelAfter?: number;
    }
  | { readonly kind: "close"; readonly at: number };

/** Everything that a run depends on, as plain data: the same scenario is the same run. */
export interface Scenario {
  readonly seed: number;
  readonly optimizer: SimulatedOptimizer;
  readonly provider: SimulatedProviderOptions;
  /** Single requests that fail, by the share of them; which, and how, is drawn from the seed. */
  readonly faultRate: number;
  readonly actions: readonly Action[];
}

/** A rule that did not hold. */
export interface Violation {
  /** Short and stable: `conservation`, `deadline` ... */
  readonly rule: string;
  /** The clock's time. */
  readonly at: number;
  readonly step: number;
  readonly detail: string;
}
