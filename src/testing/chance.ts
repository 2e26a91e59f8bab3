import { hash } from "node:crypto";
import { type Random, seededRandom } from "../core/index.ts";
import type { LogNormal } from "./provider-options.ts";

/** A source of chance that depends on every part, so that neither order nor load changes what one request gets. */
export function randomOf(...parts: readonly (string | number)[]): Random {
  return seededRandom(Number.parseInt(digestOf(...parts), 16));
}

/** Eight hexadecimal digits that depend on every part. */
export function digestOf(...parts: readonly (string | number)[]): string {
  return hash("sha256", parts.join("\u0000")).slice(0, 8);
}

/** A draw from a log-normal distribution. Box and Muller, 1958. */
export function logNormal({ median, sigma }: LogNormal, random: Random): number {
  if (sigma === 0 || median === 0) return median;
  const normal = Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  return median * Math.exp(sigma * normal);
}
