import type { FunctionFacts } from "./facts.ts";

/** Sums of the runs of one function. */
export interface FunctionSums {
  readonly name: string;
  runs: number;
  durationMs: number;
  slow: number;
  slowExcessMs: number;
  slowestMs: number;
}

const NAMES_MAX = 100;
const OTHER = "other";

/** Runs of measured functions by name; bounded. */
export class Functions {
  readonly #sums = new Map<string, FunctionSums>();

  add({ name, durationMs }: FunctionFacts, slowMs: number): void {
    const sums = this.#of(name);
    sums.runs++;
    sums.durationMs += durationMs;
    sums.slowestMs = Math.max(sums.slowestMs, durationMs);
    if (durationMs <= slowMs) return;
    sums.slow++;
    sums.slowExcessMs += durationMs - slowMs;
  }

  merge(other: Functions): void {
    for (const { name, runs, durationMs, slow, slowExcessMs, slowestMs } of other) {
      const sums = this.#of(name);
      sums.runs += runs;
      sums.durationMs += durationMs;
      sums.slow += slow;
      sums.slowExcessMs += slowExcessMs;
      sums.slowestMs = Math.max(sums.slowestMs, slowestMs);
    }
  }

  *[Symbol.iterator](): Generator<FunctionSums> {
    yield* this.#sums.values();
  }

  #of(name: string): FunctionSums {
    const known = this.#sums.get(name);
    if (known !== undefined) return known;
    if (this.#sums.size >= NAMES_MAX && name !== OTHER) return this.#of(OTHER);
    const sums = { name, runs: 0, durationMs: 0, slow: 0, slowExcessMs: 0, slowestMs: 0 };
    this.#sums.set(name, sums);
    return sums;
  }
}
