import {
  integerIn,
  knownKeys,
  type ModelPrice,
  numberIn,
  type PriceList,
  type Prices,
  readPrices,
  textOf,
} from "../../core/index.ts";
import type { SimulatedOptimizer } from "../sim/scenario.ts";
import { medianOf } from "./latency-fit.ts";
import { fitProvider, type HeldOutError, heldOutError, type ProviderFit } from "./provider-fit.ts";
import { type RecordedOutcome, recordedOutcome } from "./recorded-outcome.ts";
import type { ReplayedCall } from "./replay-provider.ts";
import { type ReplayRun, replayOnce } from "./replay-run.ts";
import { type TracedCall, tracedCalls } from "./traced-call.ts";

/** One way to set up an optimizer. */
export interface ReplayConfig {
  /** Of its line in the table. */
  readonly name: string;
  readonly optimizer: SimulatedOptimizer;
}

export interface ReplayOptions {
  /** The same seed, trace and configurations give the same result. Default 1. */
  readonly seed?: number | undefined;
  /** The part of the trace, from its beginning, that the provider is fitted to: above 0, below 1. Default 0.5. */
  readonly fitShare?: number | undefined;
  /** The trace's calls come so many times as fast: above 0, at most 1,000. Default 1. */
  readonly load?: number | undefined;
  /** What is known better than the trace tells it. `undefined`: as it was fitted; limits may be `false`: there is none. */
  readonly provider?:
    | {
        readonly requestsPerMinute?: number | false | undefined;
        readonly tokensPerMinute?: number | false | undefined;
        /** 0 to 1. */
        readonly failureRate?: number | undefined;
      }
    | undefined;
  /** US dollars per million tokens, by model; `"*"` is any other. Default 0.15 for input and 0.6 for output. */
  readonly prices?: Prices | undefined;
}

export interface ReplayReport {
  readonly calls: number;
  /** From the first call's coming to the last one's, as it was replayed. */
  readonly spanMs: number;
  readonly provider: ProviderFit;
  /** How far the fit is from the part of the trace that it was not fitted to; `undefined` where the trace tells no times. */
  readonly heldOut: HeldOutError | undefined;
  /** What the trace itself tells of its calls, where it tells times. */
  readonly recorded: RecordedOutcome | undefined;
  /** In the order of the configurations. */
  readonly runs: readonly ReplayRun[];
}

export const REPLAY_DEFAULTS = {
  seed: 1,
  fitShare: 0.5,
  load: 1,
  prices: { "*": { input: 0.15, output: 0.6 } },
} as const;

const OPTION_KEYS = ["seed", "fitShare", "load", "provider", "prices"];
const PROVIDER_KEYS = ["requestsPerMinute", "tokensPerMinute", "failureRate"];
const UNKNOWN_TOKENS = { input: 500, output: 150 };

/**
 * Replays a trace against a provider that was fitted to its first part, once for each configuration, in virtual time and
 * through the very code that runs in production. Every configuration meets the same calls and the same provider.
 *
 * Throws `OptionError`.
 */
export async function replay(
  trace: Iterable<TracedCall>,
  configs: readonly ReplayConfig[],
  options: ReplayOptions = {},
): Promise<ReplayReport> {
  knownKeys("replay", options, OPTION_KEYS);
  const seed = integerIn("replay.seed", options.seed ?? REPLAY_DEFAULTS.seed, 0, 0xffff_ffff);
  const fitShare = numberIn("replay.fitShare", options.fitShare ?? REPLAY_DEFAULTS.fitShare, 0.01, 0.99);
  const load = numberIn("replay.load", options.load ?? REPLAY_DEFAULTS.load, 0.001, 1_000);
  const priceOf = pricing(readPrices("replay.prices", { ...REPLAY_DEFAULTS.prices, ...options.prices }));
  const named = configs.map((config, index) => readConfig(`replay.configs[${index}]`, config));
  const calls = tracedCalls("replay.trace", trace);
  const fitted = Math.max(1, Math.floor(calls.length * fitShare));
  const fit = fitProvider(calls.slice(0, fitted));
  const provider = { ...fit, ...readProvider(options.provider ?? {}, fit) };
  const replayed = replayedCalls(calls, load);
  const runs: ReplayRun[] = [];
  for (const config of named) runs.push(await replayOnce(replayed, config, { provider, seed, priceOf }));
  return {
    calls: calls.length,
    spanMs: replayed.at(-1)?.at ?? 0,
    provider,
    heldOut: heldOutError(fit, calls.slice(fitted)),
    recorded: recordedOutcome(calls, priceOf),
    runs,
  };
}

function readConfig(option: string, config: ReplayConfig): ReplayConfig {
  knownKeys(option, config, ["name", "optimizer"]);
  return { name: textOf(`${option}.name`, config.name, 64), optimizer: config.optimizer };
}

function readProvider(
  given: NonNullable<ReplayOptions["provider"]>,
  fit: ProviderFit,
): Pick<ProviderFit, "requestsPerMinute" | "tokensPerMinute" | "failureRate"> {
  knownKeys("replay.provider", given, PROVIDER_KEYS);
  const limit = (name: "requestsPerMinute" | "tokensPerMinute"): number | undefined => {
    const value = given[name];
    if (value === undefined) return fit[name];
    return value === false ? undefined : integerIn(`replay.provider.${name}`, value, 1);
  };
  return {
    requestsPerMinute: limit("requestsPerMinute"),
    tokensPerMinute: limit("tokensPerMinute"),
    failureRate: numberIn("replay.provider.failureRate", given.failureRate ?? fit.failureRate, 0, 1),
  };
}

function pricing(prices: PriceList): (model: string) => ModelPrice {
  return (model) => prices.get(model) ?? prices.get("*") ?? REPLAY_DEFAULTS.prices["*"];
}

/** Fills in what a trace does not tell: tokens by the middle call, and for each call a question of its own. */
function replayedCalls(calls: readonly TracedCall[], load: number): readonly ReplayedCall[] {
  const known = (of: (call: TracedCall) => number | undefined, other: number): number => {
    const values = calls.flatMap((call) => of(call) ?? []).filter((value) => value > 0);
    return values.length === 0 ? other : medianOf(values);
  };
  const input = known(({ inputTokens }) => inputTokens, UNKNOWN_TOKENS.input);
  const output = known(({ outputTokens }) => outputTokens, UNKNOWN_TOKENS.output);
  const first = calls[0]?.at ?? 0;
  return calls.map(
    (call, index): ReplayedCall => ({
      at: (call.at - first) / load,
      model: call.model ?? "model",
      stream: call.stream ?? false,
      inputTokens: Math.round(call.inputTokens || input),
      outputTokens: Math.max(1, Math.round(call.outputTokens || output)),
      client: call.client,
      question: call.question ?? `call ${index}`,
      priority: call.priority,
    }),
  );
}
