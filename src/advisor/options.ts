import { type Duration, durationMs, integerIn, knownKeys, numberIn } from "../core/index.ts";

export interface AdvisorOptions {
  /** How far back it looks: between one and two of these. Default `"1d"`. */
  readonly window?: Duration;
  /** A call that takes longer is slow. Default `"10s"`. */
  readonly slowCall?: Duration;
  /** A measured function that takes longer is slow. Default `"1s"`. */
  readonly slowFunction?: Duration;
  /** Calls that cost more on average, in US dollars, are expensive. Default 0.05. */
  readonly expensiveCall?: number;
  /** What a second that a caller need not wait is worth, in US dollars: only for the ranking. Default 0.001. */
  readonly secondWorth?: number;
  /** With fewer calls of one kind nothing is said of it. Default 20. */
  readonly minCalls?: number;
  /** Most kinds of calls that are told apart; the lightest are put together. Default 200. */
  readonly maxKinds?: number;
  /** Questions that are remembered to be known again. Default 20,000. */
  readonly maxQuestions?: number;
}

export const ADVISOR_DEFAULTS = {
  window: "1d",
  slowCall: "10s",
  slowFunction: "1s",
  expensiveCall: 0.05,
  secondWorth: 0.001,
  minCalls: 20,
  maxKinds: 200,
  maxQuestions: 20_000,
} as const satisfies AdvisorOptions;

export interface AdvisorSettings {
  readonly windowMs: number;
  readonly slowCallMs: number;
  readonly slowFunctionMs: number;
  readonly expensiveCall: number;
  readonly secondWorth: number;
  readonly minCalls: number;
  readonly maxKinds: number;
  readonly maxQuestions: number;
}

const OPTION_KEYS = Object.keys(ADVISOR_DEFAULTS);
const DOLLARS_MAX = 1_000_000;

/** Throws `OptionError`. */
export function readAdvisorOptions(options: AdvisorOptions): AdvisorSettings {
  knownKeys("advisor", options, OPTION_KEYS);
  const given = { ...ADVISOR_DEFAULTS, ...options };
  return {
    windowMs: durationMs("advisor.window", given.window, { min: 60_000 }),
    slowCallMs: durationMs("advisor.slowCall", given.slowCall, { min: 1 }),
    slowFunctionMs: durationMs("advisor.slowFunction", given.slowFunction, { min: 1 }),
    expensiveCall: numberIn("advisor.expensiveCall", given.expensiveCall, 0, DOLLARS_MAX),
    secondWorth: numberIn("advisor.secondWorth", given.secondWorth, 0, DOLLARS_MAX),
    minCalls: integerIn("advisor.minCalls", given.minCalls, 1),
    maxKinds: integerIn("advisor.maxKinds", given.maxKinds, 10, 10_000),
    maxQuestions: integerIn("advisor.maxQuestions", given.maxQuestions, 1, 1_000_000),
  };
}
