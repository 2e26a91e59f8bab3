import type { Span } from "@opentelemetry/api";

/** Spans that have not ended, by key: a bounded number of them. */
export class OpenSpans<T> {
  readonly #open = new Map<string, T>();
  readonly #max: number;
  readonly #spanOf: (entry: T) => Span;

  constructor(max: number, spanOf: (entry: T) => Span) {
    this.#max = max;
    this.#spanOf = spanOf;
  }

  /** Ends the oldest when there is no room: a stream that nobody reads must not keep out the calls of today. */
  add(key: string | undefined, entry: T): void {
    if (key === undefined) return;
    if (this.#open.size >= this.#max) {
      const [oldest] = this.#open.keys();
      const left = oldest === undefined ? undefined : this.take(oldest);
      if (left !== undefined) this.#spanOf(left).end();
    }
    this.#open.set(key, entry);
  }

  get(key: string | undefined): T | undefined {
    return key === undefined ? undefined : this.#open.get(key);
  }

  take(key: string | undefined): T | undefined {
    const entry = this.get(key);
    if (key !== undefined) this.#open.delete(key);
    return entry;
  }

  endAll(): void {
    for (const entry of this.#open.values()) this.#spanOf(entry).end();
    this.#open.clear();
  }
}
