import { type PriceList, type Prices, readPrices as readPricesOf } from "../core/index.ts";

export { dollarsFor as costOf, type ModelPrice, type PriceList, type Prices } from "../core/index.ts";

/** Reads a price list. Throws `OptionError`. */
export function readPrices(prices: Prices): PriceList {
  return readPricesOf("monitor.prices", prices);
}
