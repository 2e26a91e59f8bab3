import { knownKeys, numberIn } from "./options.ts";
import type { Usage } from "./reply.ts";

/** US dollars per million tokens. */
export interface ModelPrice {
  readonly input: number;
  /** Of input tokens that the provider had cached. Default: as `input`. */
  readonly cachedInput?: number;
  readonly output: number;
}

/** By model. */
export type Prices = Readonly<Record<string, ModelPrice>>;

/** A price list that has been read. */
export type PriceList = ReadonlyMap<string, ModelPrice>;

const PRICE_KEYS = ["input", "cachedInput", "output"] as const;
const USD_MAX = 1_000_000;
const PER = 1_000_000;

/** Reads a price list. Throws `OptionError`. */
export function readPrices(option: string, prices: Prices): PriceList {
  return new Map(Object.entries(prices).map(([model, price]) => [model, readPrice(`${option}.${model}`, price)]));
}

/** Reads one price. Throws `OptionError`. */
export function readPrice(option: string, price: ModelPrice): ModelPrice {
  knownKeys(option, price, PRICE_KEYS);
  const input = numberIn(`${option}.input`, price.input, 0, USD_MAX);
  const { cachedInput = input } = price;
  return {
    input,
    cachedInput: numberIn(`${option}.cachedInput`, cachedInput, 0, USD_MAX),
    output: numberIn(`${option}.output`, price.output, 0, USD_MAX),
  };
}

/** What tokens cost, in US dollars. */
export function dollarsFor({ input, cachedInput = input, output }: ModelPrice, usage: Usage): number {
  const cached = Math.min(usage.cachedInputTokens ?? 0, usage.inputTokens);
  return ((usage.inputTokens - cached) * input + cached * cachedInput + usage.outputTokens * output) / PER;
}
