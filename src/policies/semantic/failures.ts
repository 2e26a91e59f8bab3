import { type EventMap, errorName, type Runtime } from "../../core/index.ts";

export type Part = EventMap["semantic.failed"]["part"];

const REPORT_EVERY_MS = 1000;

/** Counts the failures of the user's functions and tells of them, at most once a second. What was given up is none. */
export class Failures {
  readonly counts: Record<Part, number> = { embed: 0, index: 0, judge: 0 };
  readonly #runtime: Runtime;
  #toldAt = Number.NEGATIVE_INFINITY;

  constructor(runtime: Runtime) {
    this.#runtime = runtime;
  }

  add(part: Part, error: unknown): void {
    if (error === "ABORTED") return;
    this.counts[part]++;
    const now = this.#runtime.clock.now();
    if (now - this.#toldAt < REPORT_EVERY_MS) return;
    this.#toldAt = now;
    // Never the message: it may repeat the question.
    this.#runtime.events.emit("semantic.failed", undefined, {
      part,
      error: typeof error === "string" ? error : errorName(error),
    });
  }
}
