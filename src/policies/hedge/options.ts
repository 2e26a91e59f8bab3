import {
  type Call,
  type Commit,
  type Duration,
  durationMs,
  functionOf,
  knownKeys,
  numberIn,
  readCommit,
} from "../../core/index.ts";

export interface HedgeOptions {
  /** The share of first tokens that come before a second try is made, 0.5 to 0.999. Default 0.94. */
  readonly quantile?: number | undefined;
  /** No second try before. Default `"100ms"`. */
  readonly minDelay?: Duration | undefined;
  /** Input tokens of second tries, as a share of those of all first tries lately: 0 to 1. Default 0.06. */
  readonly budget?: number | undefined;
  /** How much of its answer a try must have given to win. Default `"firstContent"`. */
  readonly commit?: Commit | undefined;
  /** Which calls may be tried twice; never those whose answering has effects. Default every streamed call. */
  readonly when?: ((call: Call) => boolean) | undefined;
  /**
   * Asked when a second try is due: whether there is room for it, in quota and in the provider's health. An optimizer asks
   * its limiter and its breaker by itself. Default: there is, and what refuses the second try says so.
   */
  readonly spare?: ((call: Call) => boolean) | undefined;
}

export const HEDGE_DEFAULTS = {
  quantile: 0.94,
  minDelay: "100ms",
  budget: 0.06,
  commit: "firstContent",
} as const satisfies HedgeOptions;

export interface HedgeSettings {
  readonly quantile: number;
  readonly minDelayMs: number;
  readonly budget: number;
  readonly commit: Commit;
  readonly when: (call: Call) => boolean;
  readonly spare: (call: Call) => boolean;
}

const always = (): boolean => true;

const DEFAULT_SETTINGS: HedgeSettings = {
  quantile: HEDGE_DEFAULTS.quantile,
  minDelayMs: durationMs("hedge.minDelay", HEDGE_DEFAULTS.minDelay),
  budget: HEDGE_DEFAULTS.budget,
  commit: HEDGE_DEFAULTS.commit,
  when: always,
  spare: always,
};

/** Reads options; what they leave out comes from `current`. Throws `OptionError`. */
export function readHedgeOptions(options: HedgeOptions, current: HedgeSettings = DEFAULT_SETTINGS): HedgeSettings {
  knownKeys("hedge", options, [...Object.keys(HEDGE_DEFAULTS), "when", "spare"]);
  const { quantile, minDelay, budget, commit, when, spare } = options;
  return {
    quantile: quantile === undefined ? current.quantile : numberIn("hedge.quantile", quantile, 0.5, 0.999),
    minDelayMs: minDelay === undefined ? current.minDelayMs : durationMs("hedge.minDelay", minDelay),
    budget: budget === undefined ? current.budget : numberIn("hedge.budget", budget, 0, 1),
    commit: commit === undefined ? current.commit : readCommit("hedge.commit", commit),
    when: when === undefined ? current.when : functionOf("hedge.when", when),
    spare: spare === undefined ? current.spare : functionOf("hedge.spare", spare),
  };
}
