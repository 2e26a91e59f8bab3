import {
  booleanOf,
  type Duration,
  durationMs,
  functionOf,
  integerIn,
  knownKeys,
  OptionError,
} from "../../core/index.ts";
import type { TokenCounter } from "../../tokens/index.ts";
import { type Accounting, type ReadAccounting, readAccounting } from "./accounting.ts";
import { type BottleneckGroupLike, type BottleneckLike, readBottleneck } from "./bottleneck.ts";
import {
  isEmpty,
  LIMIT_KEYS,
  type MeterSettings,
  MINUTE_MS,
  type RateLimits,
  readLimits,
  readLimitsOnly,
} from "./limits.ts";

export interface RateLimitOptions extends RateLimits {
  /** Limits that each model has for itself. */
  readonly perModel?: RateLimits;
  /** Limits that each client (`scope.client`) has for itself; calls without a client have none. */
  readonly perClient?: RateLimits;
  /** Limits that each credential has for itself, whatever the model. */
  readonly perCredential?: RateLimits;
  /** Limits that each value of a label (`scope.labels`) has for itself, by label: `{ team: { requestsPerMinute: 60 } }`. */
  readonly perLabel?: Readonly<Record<string, RateLimits>>;
  /** How providers count tokens, where that differs from {@link ACCOUNTING_DEFAULTS}. */
  readonly accounting?: Accounting;
  /** Follows the limits that providers tell in their responses, per model and credential. Default `true`. */
  readonly learn?: boolean;
  /**
   * How much of a minute's limit may come at once, as the time in which it would flow: 1 ms to 60 s. In any minute at
   * most `limit * (1 + burst / 60 s)` is let through. Default `"1s"`.
   */
  readonly burst?: Duration;
  /** Never more than the limit in any window, at the cost of a log of what was taken. Default `false`. */
  readonly exact?: boolean;
  /** Counts the tokens of prompts, such as what `tiktoken()` of `breakwater/tiktoken` gives. Default: all are estimated. */
  readonly tokens?: TokenCounter;
  /** How many calls may wait: 0 to 1,000,000. Default 10,000. */
  readonly maxQueue?: number;
  /** A `Bottleneck` or `Bottleneck.Group` of your own, instead of everything above. */
  readonly limiter?: BottleneckLike | BottleneckGroupLike;
}

export const RATE_LIMIT_DEFAULTS = {
  learn: true,
  burst: "1s",
  exact: false,
  maxQueue: 10_000,
} as const satisfies RateLimitOptions;

export interface RateLimitSettings extends MeterSettings {
  readonly limits: RateLimits;
  readonly perModel: RateLimits | undefined;
  readonly perClient: RateLimits | undefined;
  readonly perCredential: RateLimits | undefined;
  readonly perLabel: ReadonlyMap<string, RateLimits>;
  readonly accounting: ReadAccounting;
  readonly learn: boolean;
  readonly tokens: TokenCounter | undefined;
  readonly maxQueue: number;
  readonly limiter: BottleneckLike | BottleneckGroupLike | undefined;
}

const DEFAULT_SETTINGS: RateLimitSettings = {
  limits: {},
  perModel: undefined,
  perClient: undefined,
  perCredential: undefined,
  perLabel: new Map(),
  accounting: readAccounting("rateLimit.accounting", {}),
  learn: RATE_LIMIT_DEFAULTS.learn,
  burstMs: durationMs("rateLimit.burst", RATE_LIMIT_DEFAULTS.burst),
  exact: RATE_LIMIT_DEFAULTS.exact,
  tokens: undefined,
  maxQueue: RATE_LIMIT_DEFAULTS.maxQueue,
  limiter: undefined,
};

const KEYS = [
  ...LIMIT_KEYS,
  "perModel",
  "perClient",
  "perCredential",
  "perLabel",
  "accounting",
  "learn",
  "burst",
  "exact",
  "tokens",
  "maxQueue",
  "limiter",
] as const;
const LABELS_MAX = 8;

/** Reads options; what they leave out comes from `current`. Throws `OptionError`. */
export function readRateLimitOptions(
  options: RateLimitOptions,
  current: RateLimitSettings = DEFAULT_SETTINGS,
): RateLimitSettings {
  knownKeys("rateLimit", options, KEYS);
  const { accounting, learn, burst, exact, tokens, maxQueue, limiter } = options;
  const only = (name: "perModel" | "perClient" | "perCredential"): RateLimits | undefined => {
    const given = options[name];
    return given === undefined ? current[name] : limiting(readLimitsOnly(`rateLimit.${name}`, given));
  };
  const settings: RateLimitSettings = {
    limits: { ...current.limits, ...readLimits("rateLimit", options) },
    perModel: only("perModel"),
    perClient: only("perClient"),
    perCredential: only("perCredential"),
    perLabel: options.perLabel === undefined ? current.perLabel : readLabels("rateLimit.perLabel", options.perLabel),
    accounting: accounting === undefined ? current.accounting : readAccounting("rateLimit.accounting", accounting),
    learn: learn === undefined ? current.learn : booleanOf("rateLimit.learn", learn),
    burstMs: burst === undefined ? current.burstMs : durationMs("rateLimit.burst", burst, { min: 1, max: MINUTE_MS }),
    exact: exact === undefined ? current.exact : booleanOf("rateLimit.exact", exact),
    tokens:
      tokens === undefined ? current.tokens : functionOf("rateLimit.tokens", tokens, "a function such as tiktoken()"),
    maxQueue: maxQueue === undefined ? current.maxQueue : integerIn("rateLimit.maxQueue", maxQueue, 0, 1_000_000),
    limiter: limiter === undefined ? current.limiter : readBottleneck(limiter),
  };
  if (settings.limiter !== undefined && hasLimits(settings)) {
    throw new OptionError("rateLimit.limiter", settings.limiter, "a limiter without limits of ours beside it");
  }
  return settings;
}

function readLabels(option: string, given: Readonly<Record<string, RateLimits>>): ReadonlyMap<string, RateLimits> {
  const isObject = typeof given === "object" && given !== null && !Array.isArray(given);
  if (!isObject || Object.keys(given).length > LABELS_MAX) {
    throw new OptionError(option, given, `an object of limits by label, at most ${LABELS_MAX}`);
  }
  const read = Object.entries(given).map(
    ([label, limits]) => [label, readLimitsOnly(`${option}.${label}`, limits)] as const,
  );
  return new Map(read.filter(([, limits]) => !isEmpty(limits)));
}

function limiting(limits: RateLimits): RateLimits | undefined {
  return isEmpty(limits) ? undefined : limits;
}

function hasLimits({ limits, perModel, perClient, perCredential, perLabel }: RateLimitSettings): boolean {
  return (
    !isEmpty(limits) || [perModel, perClient, perCredential].some((given) => given !== undefined) || perLabel.size > 0
  );
}
