import {
  booleanOf,
  type Clock,
  type Duration,
  durationMs,
  integerIn,
  knownKeys,
  numberIn,
  OptionError,
  systemClock,
  textOf,
} from "../core/index.ts";
import { type FaultScript, readFaultScript } from "./provider-faults.ts";

/** How long things take. Times between events are log-normal: `median` and the sigma of the logarithm. */
export interface LatencyOptions {
  /** Median time to the first token. Default 650 ms. */
  readonly firstToken?: Duration;
  /** Default 0.96. */
  readonly firstTokenSigma?: number;
  /** Milliseconds more for each prompt token that is not cached. Default 0.1. */
  readonly perInputToken?: number;
  /** Median time from one output token to the next. Default 21 ms. */
  readonly perToken?: Duration;
  /** Default 0.3. */
  readonly perTokenSigma?: number;
}

/** The limits that `setLimits` can change. `undefined` or absent: no limit. */
export interface LimitOptions {
  readonly requestsPerMinute?: number | undefined;
  readonly requestsPerDay?: number | undefined;
  readonly tokensPerMinute?: number | undefined;
  /** Requests in progress at the same time. */
  readonly concurrency?: number | undefined;
}

/** Options of {@link createProviderModel}. */
export interface ProviderModelOptions extends LimitOptions {
  /** The same seed gives the same answers, times and faults. Default 1. */
  readonly seed?: number;
  /** Default real time. */
  readonly clock?: Clock;
  /** How much of a minute's limit may be used at once. Default `"1m"`: a bucket that holds the whole limit. */
  readonly burst?: Duration;
  /** Status of a request over `concurrency`. Default 429. */
  readonly concurrencyStatus?: 429 | 503;
  /** Charge `max_tokens` at admission where it is more than the estimate of the prompt. Default true. */
  readonly reserveMaxTokens?: boolean;
  /** Correct the charge by the real usage when the request ends. Default false. */
  readonly settle?: boolean;
  /** Requests that are refused use up the request limits too. Default false. */
  readonly countRejected?: boolean;
  /** Send the `x-ratelimit-*` headers. Default true. */
  readonly rateLimitHeaders?: boolean;
  /** `false`: everything at once. */
  readonly latency?: LatencyOptions | false;
  /** Streams that run at full speed; more than that share it. Default no limit. */
  readonly decodeCapacity?: number;
  /** Length of an answer that the request does not settle: a number, or a log-normal. Default median 40, sigma 1. */
  readonly outputTokens?: number | { readonly median: number; readonly sigma: number };
  /** The models there are; another one is a 404. Default any. */
  readonly models?: readonly string[];
  readonly faults?: FaultScript;
  /** Random padding in stream events, as OpenAI sends. Default false. */
  readonly obfuscation?: boolean;
  /** Dimensions of an embedding whose request does not say. Default 1,536. */
  readonly embeddingDimensions?: number;
  /** Entries that `log` keeps. Default 10,000. */
  readonly logSize?: number;
}

/**
 * Defaults of {@link createProviderModel}. The latencies come from 219 recorded, non-streamed calls to OpenAI in
 * 2025 and 2026, a test suite's traffic and no load test: `firstToken` is the median, and its sigma the spread, of
 * the server's time less 21 ms a token for answers of at most 30 tokens; `perToken` the median of the time per token
 * of answers of at least 50. The other figures are plausible choices, not measured.
 */
export const PROVIDER_MODEL_DEFAULTS = {
  seed: 1,
  burst: "1m",
  concurrencyStatus: 429,
  reserveMaxTokens: true,
  settle: false,
  countRejected: false,
  rateLimitHeaders: true,
  latency: { firstToken: 650, firstTokenSigma: 0.96, perInputToken: 0.1, perToken: 21, perTokenSigma: 0.3 },
  outputTokens: { median: 40, sigma: 1 },
  obfuscation: false,
  embeddingDimensions: 1536,
  logSize: 10_000,
} as const;

/** A log-normal distribution. */
export interface LogNormal {
  readonly median: number;
  readonly sigma: number;
}

/** The limits that can be changed while the provider runs; `undefined`: no limit. */
export interface LimitValues {
  readonly requestsPerMinute: number | undefined;
  readonly requestsPerDay: number | undefined;
  readonly tokensPerMinute: number | undefined;
  readonly concurrency: number | undefined;
}

/** Options that have been read. */
export interface Settings {
  readonly seed: number;
  readonly clock: Clock;
  readonly limits: LimitValues;
  readonly burstMs: number;
  readonly concurrencyStatus: 429 | 503;
  readonly reserveMaxTokens: boolean;
  readonly settle: boolean;
  readonly countRejected: boolean;
  readonly rateLimitHeaders: boolean;
  readonly firstToken: LogNormal;
  readonly perInputTokenMs: number;
  readonly perToken: LogNormal;
  readonly decodeCapacity: number;
  readonly outputTokens: LogNormal;
  readonly models: readonly string[] | undefined;
  readonly faults: ReturnType<typeof readFaultScript>;
  readonly obfuscation: boolean;
  readonly embeddingDimensions: number;
  readonly logSize: number;
}

const LIMIT_KEYS = ["requestsPerMinute", "requestsPerDay", "tokensPerMinute", "concurrency"] as const;
const OPTION_KEYS = [
  ...LIMIT_KEYS,
  ...Object.keys(PROVIDER_MODEL_DEFAULTS),
  "clock",
  "decodeCapacity",
  "models",
  "faults",
] as const;
const LATENCY_KEYS = Object.keys(PROVIDER_MODEL_DEFAULTS.latency);
const NO_TIME: LogNormal = { median: 0, sigma: 0 };

/** Reads the options. Throws {@link OptionError} naming `provider.<option>`. */
export function readProviderOptions(options: ProviderModelOptions): Settings {
  knownKeys("provider", options, OPTION_KEYS);
  const given = { ...PROVIDER_MODEL_DEFAULTS, ...options };
  return {
    seed: integerIn("provider.seed", given.seed, 0, 0xffff_ffff),
    clock: options.clock ?? systemClock,
    limits: readLimitValues(options),
    burstMs: durationMs("provider.burst", given.burst, { min: 1 }),
    concurrencyStatus: readConcurrencyStatus(given.concurrencyStatus),
    reserveMaxTokens: booleanOf("provider.reserveMaxTokens", given.reserveMaxTokens),
    settle: booleanOf("provider.settle", given.settle),
    countRejected: booleanOf("provider.countRejected", given.countRejected),
    rateLimitHeaders: booleanOf("provider.rateLimitHeaders", given.rateLimitHeaders),
    ...readLatency(given.latency),
    decodeCapacity:
      options.decodeCapacity === undefined
        ? Number.POSITIVE_INFINITY
        : integerIn("provider.decodeCapacity", options.decodeCapacity, 1),
    outputTokens: readOutputTokens(given.outputTokens),
    models: options.models?.map((name, index) => textOf(`provider.models[${index}]`, name)),
    faults: readFaultScript("provider.faults", options.faults ?? []),
    obfuscation: booleanOf("provider.obfuscation", given.obfuscation),
    embeddingDimensions: integerIn("provider.embeddingDimensions", given.embeddingDimensions, 1, 100_000),
    logSize: integerIn("provider.logSize", given.logSize, 0),
  };
}

/** Reads new limits over those in force: what is absent stays, `undefined` takes a limit away. */
export function readLimits(options: LimitOptions, current: LimitValues): LimitValues {
  knownKeys("limits", options, LIMIT_KEYS);
  return readLimitValues({ ...current, ...options });
}

function readConcurrencyStatus(value: 429 | 503): 429 | 503 {
  if (value === 429 || value === 503) return value;
  throw new OptionError("provider.concurrencyStatus", value, "429 or 503");
}

function readLimitValues(options: LimitOptions): LimitValues {
  const read = (name: (typeof LIMIT_KEYS)[number]): number | undefined =>
    options[name] === undefined ? undefined : integerIn(`provider.${name}`, options[name], 1);
  return {
    requestsPerMinute: read("requestsPerMinute"),
    requestsPerDay: read("requestsPerDay"),
    tokensPerMinute: read("tokensPerMinute"),
    concurrency: read("concurrency"),
  };
}

function readLatency(latency: LatencyOptions | false): Pick<Settings, "firstToken" | "perInputTokenMs" | "perToken"> {
  if (latency === false) return { firstToken: NO_TIME, perInputTokenMs: 0, perToken: NO_TIME };
  knownKeys("provider.latency", latency, LATENCY_KEYS);
  const given = { ...PROVIDER_MODEL_DEFAULTS.latency, ...latency };
  const sigma = (name: "firstTokenSigma" | "perTokenSigma"): number =>
    numberIn(`provider.latency.${name}`, given[name], 0, 5);
  return {
    firstToken: {
      median: durationMs("provider.latency.firstToken", given.firstToken),
      sigma: sigma("firstTokenSigma"),
    },
    perInputTokenMs: numberIn("provider.latency.perInputToken", given.perInputToken, 0, 1e6),
    perToken: { median: durationMs("provider.latency.perToken", given.perToken), sigma: sigma("perTokenSigma") },
  };
}

function readOutputTokens(value: number | LogNormal): LogNormal {
  if (typeof value === "number") return { median: integerIn("provider.outputTokens", value, 1), sigma: 0 };
  knownKeys("provider.outputTokens", value, ["median", "sigma"]);
  return {
    median: numberIn("provider.outputTokens.median", value.median, 1, 1e6),
    sigma: numberIn("provider.outputTokens.sigma", value.sigma, 0, 5),
  };
}
