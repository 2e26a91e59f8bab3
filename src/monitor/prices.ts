import { type ModelPrice, type PriceList, type Prices, readPrices as readPricesOf } from "../core/index.ts";

export { dollarsFor as costOf, type ModelPrice, type Prices } from "../core/index.ts";

/** The price list in force. It may be replaced at any time; what was counted stays as it was counted. */
export class PriceBook {
  #list: PriceList | undefined;

  /** Replaces all prices; `undefined`: cost is not counted. Throws `OptionError` and then changes nothing. */
  set(prices: Prices | undefined, option = "monitor.prices"): void {
    this.#list = prices === undefined ? undefined : readPricesOf(option, prices);
  }

  get isEmpty(): boolean {
    return this.#list === undefined;
  }

  /** The price of the first of the models that has one: the model that answered, then the one that was asked for. */
  of(...models: readonly (string | undefined)[]): ModelPrice | undefined {
    if (this.#list === undefined) return undefined;
    for (const model of models) {
      const price = model === undefined ? undefined : this.#list.get(model);
      if (price !== undefined) return price;
    }
    return undefined;
  }
}

const PER = 1_000_000;

/**
 * Prices from a table in the schema of LiteLLM's `model_prices_and_context_window.json` (US dollars per token). Models
 * without a price for input and output are left out.
 */
export function litellmPrices(table: Readonly<Record<string, unknown>>): Prices {
  const prices: Record<string, ModelPrice> = {};
  for (const [model, row] of Object.entries(table)) {
    if (typeof row !== "object" || row === null) continue;
    const {
      input_cost_per_token: input,
      output_cost_per_token: output,
      cache_read_input_token_cost: cached,
    } = row as Record<string, unknown>;
    if (!isPrice(input) || !isPrice(output)) continue;
    prices[model] = {
      input: perMillion(input),
      output: perMillion(output),
      ...(isPrice(cached) && { cachedInput: perMillion(cached) }),
    };
  }
  return prices;
}

// Without the last digits, which are noise of the multiplication.
function perMillion(perToken: number): number {
  return Number((perToken * PER).toPrecision(12));
}

function isPrice(value: unknown): value is number {
  return typeof value === "number" && Number.isFinite(value) && value >= 0;
}
