import { OptionError } from "../core/index.ts";
import type { Labels, Series } from "./series.ts";

export type MetricKind = "counter" | "gauge" | "histogram";

/** What a metric is. */
export interface MetricDefinition {
  /** Dotted, as OpenTelemetry writes it: `breakwater.calls`. */
  readonly name: string;
  readonly kind: MetricKind;
  readonly description: string;
  /** UCUM, as OpenTelemetry writes it: `s`, `ms`, `{call}`, `USD`, `1`. */
  readonly unit: string;
  /** The only label keys it may have; `undefined`: any. */
  readonly labels: readonly string[] | undefined;
  /** Gauges: how long a value is good for after it was set. Default for ever. */
  readonly ttlMs?: number;
}

/** The value of every label of the series that takes what is over the bound. */
export const OTHER = "other";
const LABELS_MAX = 8;
const LABEL_VALUE_LENGTH_MAX = 128;
const LABEL_KEY = /^[a-zA-Z][a-zA-Z0-9_]{0,63}$/;

/** One metric and its series, at most `maxSeries` of them. */
export class Metric<S extends Series = Series> {
  readonly definition: MetricDefinition;
  /** How often a label set found no room and was counted under `other`. */
  overflowed = 0;
  #series = new Map<string, S>();
  #overflow: S | undefined;
  #maxSeries: number;
  #make: (labels: Labels) => S;
  #onOverflow: () => void;

  constructor(
    definition: MetricDefinition,
    options: { maxSeries: number; make: (labels: Labels) => S; onOverflow: () => void },
  ) {
    this.definition = definition;
    this.#maxSeries = options.maxSeries;
    this.#make = options.make;
    this.#onOverflow = options.onOverflow;
  }

  /** The series of a label set, made on first use. Throws {@link OptionError} for a key it cannot have. */
  series(labels: Labels = {}): S {
    const key = keyOf(labels);
    const known = this.#series.get(key);
    if (known !== undefined) return known;
    // Admission, not eviction: a series that is dropped and made again would count from zero again.
    if (this.#overflow === undefined && this.#series.size < this.#maxSeries - 1) {
      const series = this.#make(this.#checked(labels));
      this.#series.set(key, series);
      return series;
    }
    this.overflowed++;
    if (this.#overflow === undefined) {
      const all = Object.keys(this.#checked(labels)).map((label) => [label, OTHER]);
      this.#overflow = this.#make(Object.fromEntries(all));
      this.#onOverflow();
    }
    return this.#overflow;
  }

  /** Every series there is. */
  *[Symbol.iterator](): Generator<S> {
    yield* this.#series.values();
    if (this.#overflow !== undefined) yield this.#overflow;
  }

  get size(): number {
    return this.#series.size + (this.#overflow === undefined ? 0 : 1);
  }

  #checked(labels: Labels): Labels {
    const { name, labels: allowed } = this.definition;
    const entries = Object.entries(labels);
    if (entries.length > LABELS_MAX) throw new OptionError(`${name}.labels`, labels, `at most ${LABELS_MAX} labels`);
    for (const [key] of entries) checkLabelKey(`${name}.labels`, key, allowed);
    return Object.fromEntries(entries.map(([key, value]) => [key, String(value).slice(0, LABEL_VALUE_LENGTH_MAX)]));
  }
}

/** Throws {@link OptionError} for a label key that is not a word, or not among those allowed. */
export function checkLabelKey(option: string, key: unknown, allowed: readonly string[] | undefined): void {
  if (allowed !== undefined && !allowed.includes(key as string)) {
    throw new OptionError(option, key, allowed.length === 0 ? "no labels" : `the labels ${allowed.join(", ")}`);
  }
  if (typeof key !== "string" || !LABEL_KEY.test(key)) {
    throw new OptionError(option, key, "label keys of letters, digits and underscores, beginning with a letter");
  }
}

// Lengths keep values apart whatever characters they hold.
function keyOf(labels: Labels): string {
  let text = "";
  for (const key of Object.keys(labels).sort()) {
    const value = String(labels[key]).slice(0, LABEL_VALUE_LENGTH_MAX);
    text += `${key}=${value.length}:${value},`;
  }
  return text;
}
