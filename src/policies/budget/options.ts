import {
  functionOf,
  knownKeys,
  type ModelPrice,
  numberIn,
  OptionError,
  oneOf,
  type Prices,
  readPrice,
  readPrices,
} from "../../core/index.ts";

/** Most that may be spent, in US dollars. What is absent is not limited. */
export interface BudgetLimits {
  /** From midnight to midnight, UTC. */
  readonly dollarsPerDay?: number;
  /** From the first of a month to the next, UTC. */
  readonly dollarsPerMonth?: number;
}

/** The price of a model; `undefined` if it has none. Is asked for every call. One that throws tells no price. */
export type PriceFunction = (model: string, provider: string) => ModelPrice | undefined;

export interface BudgetOptions extends BudgetLimits {
  /** US dollars per million tokens, by model, as the monitor takes them; or a function. Default: no model has a price. */
  readonly prices?: Prices | PriceFunction;
  /** What happens to a call whose model has no price: it passes and is not counted, or it is refused. Default `"allow"`. */
  readonly unknownPrice?: "allow" | "refuse";
  /** Shares of a limit at which `budget.threshold` is sent, once per day or month. Default `[0.8]`. */
  readonly alertAt?: readonly number[];
  /** Limits that each client (`scope.client`) has for itself. */
  readonly perClient?: BudgetLimits;
  /** Limits that each model has for itself. */
  readonly perModel?: BudgetLimits;
  /** Limits that each credential has for itself, whatever the model. */
  readonly perCredential?: BudgetLimits;
  /** Limits that each value of a label (`scope.labels`) has for itself, by label: `{ team: { dollarsPerDay: 20 } }`. */
  readonly perLabel?: Readonly<Record<string, BudgetLimits>>;
}

export const BUDGET_DEFAULTS = {
  unknownPrice: "allow",
  alertAt: [0.8],
} as const satisfies BudgetOptions;

export interface BudgetSettings {
  readonly limits: BudgetLimits;
  readonly priceOf: PriceFunction;
  readonly unknownPrice: "allow" | "refuse";
  /** Ascending. */
  readonly alertAt: readonly number[];
  readonly perClient: BudgetLimits | undefined;
  readonly perModel: BudgetLimits | undefined;
  readonly perCredential: BudgetLimits | undefined;
  readonly perLabel: ReadonlyMap<string, BudgetLimits>;
}

const DEFAULT_SETTINGS: BudgetSettings = {
  limits: {},
  priceOf: () => undefined,
  unknownPrice: BUDGET_DEFAULTS.unknownPrice,
  alertAt: BUDGET_DEFAULTS.alertAt,
  perClient: undefined,
  perModel: undefined,
  perCredential: undefined,
  perLabel: new Map(),
};

const LIMIT_KEYS = ["dollarsPerDay", "dollarsPerMonth"] as const;
const KEYS = [
  ...LIMIT_KEYS,
  "prices",
  "unknownPrice",
  "alertAt",
  "perClient",
  "perModel",
  "perCredential",
  "perLabel",
] as const;
const DOLLARS_MAX = 1e9;
const DOLLARS_MIN = 1e-6;
const ALERTS_MAX = 10;
const LABELS_MAX = 8;

/** Reads options; what they leave out comes from `current`. Throws `OptionError`. */
export function readBudgetOptions(options: BudgetOptions, current: BudgetSettings = DEFAULT_SETTINGS): BudgetSettings {
  knownKeys("budget", options, KEYS);
  const { prices, unknownPrice, alertAt, perLabel } = options;
  const each = (name: "perClient" | "perModel" | "perCredential"): BudgetLimits | undefined => {
    const given = options[name];
    return given === undefined ? current[name] : readLimitsOnly(`budget.${name}`, given);
  };
  return {
    limits: { ...current.limits, ...readLimits("budget", options) },
    priceOf: prices === undefined ? current.priceOf : readPriceSource("budget.prices", prices),
    unknownPrice:
      unknownPrice === undefined
        ? current.unknownPrice
        : oneOf("budget.unknownPrice", unknownPrice, ["allow", "refuse"]),
    alertAt: alertAt === undefined ? current.alertAt : readShares("budget.alertAt", alertAt),
    perClient: each("perClient"),
    perModel: each("perModel"),
    perCredential: each("perCredential"),
    perLabel: perLabel === undefined ? current.perLabel : readLabels("budget.perLabel", perLabel),
  };
}

function readLimits(option: string, given: BudgetLimits): BudgetLimits {
  const limits: { dollarsPerDay?: number; dollarsPerMonth?: number } = {};
  for (const key of LIMIT_KEYS) {
    const value = given[key];
    if (value !== undefined) limits[key] = numberIn(`${option}.${key}`, value, DOLLARS_MIN, DOLLARS_MAX);
  }
  return limits;
}

function readLimitsOnly(option: string, given: BudgetLimits): BudgetLimits | undefined {
  knownKeys(option, given, LIMIT_KEYS);
  const limits = readLimits(option, given);
  return Object.keys(limits).length === 0 ? undefined : limits;
}

function readLabels(option: string, given: Readonly<Record<string, BudgetLimits>>): ReadonlyMap<string, BudgetLimits> {
  const isObject = typeof given === "object" && given !== null && !Array.isArray(given);
  if (!isObject || Object.keys(given).length > LABELS_MAX) {
    throw new OptionError(option, given, `an object of limits by label, at most ${LABELS_MAX}`);
  }
  const read = new Map<string, BudgetLimits>();
  for (const [label, limits] of Object.entries(given)) {
    const own = readLimitsOnly(`${option}.${label}`, limits);
    if (own !== undefined) read.set(label, own);
  }
  return read;
}

function readPriceSource(option: string, given: Prices | PriceFunction): PriceFunction {
  if (typeof given === "function") {
    const priceOf = functionOf(option, given);
    return (model, provider) => {
      try {
        const price = priceOf(model, provider);
        return price === undefined ? undefined : readPrice(option, price);
      } catch {
        return undefined;
      }
    };
  }
  if (typeof given !== "object" || given === null)
    throw new OptionError(option, given, "prices by model, or a function");
  const list = readPrices(option, given);
  return (model) => list.get(model);
}

function readShares(option: string, given: readonly number[]): readonly number[] {
  if (!Array.isArray(given) || given.length > ALERTS_MAX) {
    throw new OptionError(option, given, `an array of at most ${ALERTS_MAX} shares`);
  }
  return given.map((share, index) => numberIn(`${option}[${index}]`, share, 0.01, 1)).sort((a, b) => a - b);
}
