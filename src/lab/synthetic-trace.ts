import { integerIn, knownKeys, numberIn, seededRandom } from "../core/index.ts";
import type { CacheRequest } from "./cache-trace.ts";
import { lognormal, zipfRanks } from "./popularity.ts";
import { answerBytes, answerMs, costOf } from "./pricing.ts";

export interface SyntheticTraceOptions {
  /** Default 200,000. */
  readonly requests?: number | undefined;
  /** Questions that are asked again and again. Default 30,000. */
  readonly questions?: number | undefined;
  /** How much more popular the first are than the last: the exponent of Zipf's law. Default 0.9. */
  readonly exponent?: number | undefined;
  /** Share of requests that nobody ever asks again. Default 0.3. */
  readonly oneHitShare?: number | undefined;
  /** After so many requests the most popular question falls out of use and a new one comes; 0 is never. Default 0. */
  readonly driftEvery?: number | undefined;
  /** Share of the questions that go to a model 20 to 25 times as dear. Default 0.3. */
  readonly dearShare?: number | undefined;
  /** Owners the requests are spread over, as popular as questions are. Default 50. */
  readonly owners?: number | undefined;
  /** Default 1. */
  readonly seed?: number | undefined;
}

export const SYNTHETIC_TRACE_DEFAULTS = {
  requests: 200_000,
  questions: 30_000,
  exponent: 0.9,
  oneHitShare: 0.3,
  driftEvery: 0,
  dearShare: 0.3,
  owners: 50,
  seed: 1,
} as const satisfies SyntheticTraceOptions;

// Tokens of prompts and answers, as logarithms: medians of 665 and 181, with long tails.
const INPUT = [6.5, 1.5] as const;
const OUTPUT = [5.2, 1.1] as const;

/**
 * Requests as an application might make them, by a few plain assumptions: see the options. Sizes and prices belong to
 * the question. The same options give the same trace. Throws {@link OptionError}.
 */
export function syntheticTrace(options: SyntheticTraceOptions = {}): readonly CacheRequest[] {
  knownKeys("syntheticTrace", options, Object.keys(SYNTHETIC_TRACE_DEFAULTS));
  const given = { ...SYNTHETIC_TRACE_DEFAULTS, ...options };
  const whole = (name: keyof SyntheticTraceOptions, min: number) =>
    integerIn(`syntheticTrace.${name}`, given[name], min);
  const [requests, questions, owners] = [whole("requests", 0), whole("questions", 1), whole("owners", 1)];
  const driftEvery = whole("driftEvery", 0);
  const exponent = numberIn("syntheticTrace.exponent", given.exponent, 0, 10);
  const oneHitShare = numberIn("syntheticTrace.oneHitShare", given.oneHitShare, 0, 1);
  const dearShare = numberIn("syntheticTrace.dearShare", given.dearShare, 0, 1);
  const random = seededRandom(whole("seed", 0));
  const rank = zipfRanks(questions, exponent, random);
  const ownerRank = zipfRanks(owners, exponent, random);
  const known = new Map<string, Omit<CacheRequest, "owner">>();
  return Array.from({ length: requests }, (_, index) => {
    const shift = driftEvery === 0 ? 0 : Math.floor(index / driftEvery);
    const key = random() < oneHitShare ? `once-${index}` : `question-${rank() + shift}`;
    const request = known.get(key) ?? questionOf(key);
    known.set(key, request);
    return { ...request, owner: `owner-${ownerRank()}` };
  });

  function questionOf(key: string): Omit<CacheRequest, "owner"> {
    const [input, output] = [lognormal(...INPUT, random), lognormal(...OUTPUT, random)];
    const factor = random() < dearShare ? 20 + 5 * random() : 1;
    return { key, bytes: answerBytes(output), cost: factor * costOf(input, output), tookMs: answerMs(output) };
  }
}
