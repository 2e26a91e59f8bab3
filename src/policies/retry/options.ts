import {
  type Commit,
  type Duration,
  durationMs,
  integerIn,
  knownKeys,
  numberIn,
  oneOf,
  readCommit,
} from "../../core/index.ts";
import type { BackoffSettings } from "./backoff.ts";
import type { BudgetSettings } from "./budget.ts";

export interface RetryOptions {
  /** How often a call is tried in all, the first try included: 1 to 20. Default 4. */
  readonly attempts?: number;
  /** Upper bound of the pause after the first failure; it doubles with each. Default `"500ms"`. */
  readonly baseDelay?: Duration;
  /** The longest pause that backoff makes; a `retry-after` may be longer. Default `"8s"`. */
  readonly maxDelay?: Duration;
  /** What retries may add to the load, per provider; `false` for no bound. Default 100 and 0.1. */
  readonly budget?: RetryBudgetOptions | false;
  /**
   * How much of a stream is held back before it is handed out: a failure until then is tried again unseen. `"complete"`
   * holds all of it, up to 16,384 chunks. Default `"firstContent"`.
   */
  readonly commit?: Commit;
  /**
   * What follows a failure after that point. `"error"`: the stream ends with it. `"restart"`: another try gives the answer
   * anew, for calls whose scope has `onRestart`. `"continue"`: the model is asked for the rest, where the dialect can
   * (chat completions of one choice and plain text so far); what it then says may differ. Default `"error"`.
   */
  readonly afterCommit?: AfterCommit;
}

export type AfterCommit = "error" | "restart" | "continue";

export interface RetryBudgetOptions {
  /** Retries that can be made without any success between them: 1 to 10,000. A timeout counts twice. Default 100. */
  readonly capacity?: number;
  /** What a success gives back: 0 to 10. Default 0.1. */
  readonly refillPerSuccess?: number;
}

export const RETRY_DEFAULTS = {
  attempts: 4,
  baseDelay: "500ms",
  maxDelay: "8s",
  budget: { capacity: 100, refillPerSuccess: 0.1 },
  commit: "firstContent",
  afterCommit: "error",
} as const satisfies RetryOptions;

export interface RetrySettings extends BackoffSettings {
  readonly attempts: number;
  readonly budget: BudgetSettings | undefined;
  readonly commit: Commit;
  readonly afterCommit: AfterCommit;
}

const DEFAULT_SETTINGS: RetrySettings = {
  attempts: RETRY_DEFAULTS.attempts,
  baseDelayMs: durationMs("retry.baseDelay", RETRY_DEFAULTS.baseDelay),
  maxDelayMs: durationMs("retry.maxDelay", RETRY_DEFAULTS.maxDelay),
  budget: RETRY_DEFAULTS.budget,
  commit: RETRY_DEFAULTS.commit,
  afterCommit: RETRY_DEFAULTS.afterCommit,
};

/** Reads options; what they leave out comes from `current`. Throws `OptionError`. */
export function readRetryOptions(options: RetryOptions, current: RetrySettings = DEFAULT_SETTINGS): RetrySettings {
  knownKeys("retry", options, Object.keys(RETRY_DEFAULTS));
  const { attempts, baseDelay, maxDelay, budget, commit, afterCommit } = options;
  return {
    attempts: attempts === undefined ? current.attempts : integerIn("retry.attempts", attempts, 1, 20),
    baseDelayMs: baseDelay === undefined ? current.baseDelayMs : durationMs("retry.baseDelay", baseDelay),
    maxDelayMs: maxDelay === undefined ? current.maxDelayMs : durationMs("retry.maxDelay", maxDelay),
    budget: budget === undefined ? current.budget : readBudget(budget, current.budget ?? RETRY_DEFAULTS.budget),
    commit: commit === undefined ? current.commit : readCommit("retry.commit", commit),
    afterCommit:
      afterCommit === undefined
        ? current.afterCommit
        : oneOf("retry.afterCommit", afterCommit, ["error", "restart", "continue"]),
  };
}

function readBudget(options: RetryBudgetOptions | false, current: BudgetSettings): BudgetSettings | undefined {
  if (options === false) return undefined;
  knownKeys("retry.budget", options, ["capacity", "refillPerSuccess"]);
  const { capacity, refillPerSuccess } = options;
  return {
    capacity: capacity === undefined ? current.capacity : numberIn("retry.budget.capacity", capacity, 1, 10_000),
    refillPerSuccess:
      refillPerSuccess === undefined
        ? current.refillPerSuccess
        : numberIn("retry.budget.refillPerSuccess", refillPerSuccess, 0, 10),
  };
}
