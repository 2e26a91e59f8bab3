import type { Labels } from "../series.ts";

/** Tells label sets of one rule apart. */
export function keyOf(labels: Labels): string {
  return JSON.stringify(Object.values(labels));
}
