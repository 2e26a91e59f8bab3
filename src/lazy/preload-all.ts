import { integerIn, knownKeys } from "../core/index.ts";
import type { Lazy } from "./lazy.ts";

export interface PreloadOptions {
  /** How many load at once. At least 1. Default 4. */
  readonly concurrency?: number | undefined;
}

export interface Preloaded {
  readonly loaded: number;
  /** What the others failed with. */
  readonly errors: readonly unknown[];
}

const CONCURRENCY = 4;

/**
 * Loads what is not loaded yet, the most urgent first; resolves when all have ended. One that fails stops nobody.
 * Throws `OptionError`.
 */
export async function preloadAll(lazies: Iterable<Lazy<unknown>>, options: PreloadOptions = {}): Promise<Preloaded> {
  knownKeys("preloadAll", options, ["concurrency"]);
  const concurrency = integerIn("preloadAll.concurrency", options.concurrency ?? CONCURRENCY, 1);
  const ordered = [...lazies].sort((one, other) => one.priority - other.priority);
  const waiting = ordered.values();
  const errors: unknown[] = [];
  let loaded = 0;
  const work = async (): Promise<void> => {
    // Those who work share the iterator: each takes the next that nobody has.
    for (const lazy of waiting) {
      try {
        await lazy.get();
        loaded++;
      } catch (error) {
        errors.push(error);
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(concurrency, ordered.length) }, work));
  return { loaded, errors };
}
