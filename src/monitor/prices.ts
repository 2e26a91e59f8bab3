import { knownKeys, numberIn, type Usage } from "../core/index.ts";

/** US dollars per million tokens. */
export interface ModelPrice {
  readonly input: number;
  /** Of input tokens that the provider had cached. Default: as `input`. */
  readonly cachedInput?: number;
  readonly output: number;
}

/** A price list that has been read. */
export type PriceList = ReadonlyMap<string, Required<ModelPrice>>;

export type Prices = Readonly<Record<string, ModelPrice>>;

const PRICE_KEYS = ["input", "cachedInput", "output"] as const;
const USD_MAX = 1_000_000;
const PER = 1_000_000;

/** Reads a price list. Throws `OptionError`. */
export function readPrices(prices: Prices): PriceList {
  const read = Object.entries(prices).map(([model, price]) => {
    const option = `monitor.prices.${model}`;
    knownKeys(option, price, PRICE_KEYS);
    const input = numberIn(`${option}.input`, price.input, 0, USD_MAX);
    return [
      model,
      {
        input,
        cachedInput:
          price.cachedInput === undefined ? input : numberIn(`${option}.cachedInput`, price.cachedInput, 0, USD_MAX),
        output: numberIn(`${option}.output`, price.output, 0, USD_MAX),
      },
    ] as const;
  });
  return new Map(read);
}

/** What an answer costs, in US dollars. */
export function costOf(price: Required<ModelPrice>, usage: Usage): number {
  const cached = Math.min(usage.cachedInputTokens ?? 0, usage.inputTokens);
  return (
    ((usage.inputTokens - cached) * price.input + cached * price.cachedInput + usage.outputTokens * price.output) / PER
  );
}
