import type { Runtime } from "../../core/index.ts";

const REPORT_EVERY_MS = 1000;

/** Counts the failures of a tier and reports them, at most one a second. */
export class TierFailures {
  readonly #tier: string;
  readonly #runtime: Runtime;
  #reportedAt = Number.NEGATIVE_INFINITY;
  count = 0;

  constructor(tier: string, runtime: Runtime) {
    this.#tier = tier;
    this.#runtime = runtime;
  }

  add(operation: string, error: unknown): void {
    this.count++;
    const now = this.#runtime.clock.now();
    if (now - this.#reportedAt < REPORT_EVERY_MS) return;
    this.#reportedAt = now;
    this.#runtime.events.emit("cache.tier_failed", undefined, { tier: this.#tier, operation, error: wordFor(error) });
  }
}

// Never the message: that of a connection may hold a password, that of a parser a piece of the answer.
function wordFor(error: unknown): string {
  if (typeof error === "string") return error;
  if (!(error instanceof Error)) return "unknown";
  return "code" in error && typeof error.code === "string" ? error.code : error.name;
}
