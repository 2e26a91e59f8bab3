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
  /** Those of `labels` that have few and fixed values: kept where label sets find no room, so that sums by them stay right. */
  readonly fixed?: readonly string[];
  /** Histograms: upper bounds of the explicit buckets, rising. Default by unit. */
  readonly bounds?: readonly number[];
  /** Gauges: how long a value is good for after it was set. Default for ever. */
  readonly ttlMs?: number;
}

/** The value of the labels of the series that take what is over the bound. */
export const OTHER = "other";
const REST_MAX = 64;
const LABELS_MAX = 8;
const LABEL_VALUE_LENGTH_MAX = 128;
const LABEL_KEY = /^[a-zA-Z][a-zA-Z0-9_]{0,63}$/;

/** One metric and its series, at most `maxSeries` of them. */
export class Metric<S extends Series = Series> {
  readonly definition: MetricDefinition;
  /** How often a label set found no room and was counted under `other`. */
  overflowed = 0;
  #series = new Map<string, S>();
  /** Those for label sets that found no room: one for each set of fixed labels, as far as there is room for these. */
  #rest = new Map<string, S>();
  #restMax: number;
  #maxSeries: number;
  #make: (labels: Labels) => S;
  #onOverflow: () => void;

  constructor(
    definition: MetricDefinition,
    options: { maxSeries: number; make: (labels: Labels) => S; onOverflow: () => void },
  ) {
    this.definition = definition;
    this.#maxSeries = options.maxSeries;
    this.#restMax = (definition.fixed ?? []).length === 0 ? 1 : Math.min(REST_MAX, Math.ceil(options.maxSeries / 4));
    this.#make = options.make;
    this.#onOverflow = options.onOverflow;
  }

  /** The series of a label set, made on first use. Throws {@link OptionError} for a key it cannot have. */
  series(labels: Labels = {}): S {
    const key = keyOf(labels);
    const known = this.#series.get(key);
    if (known !== undefined) return known;
    // Admission, not eviction: a series that is dropped and made again would count from zero again.
    if (this.#rest.size === 0 && this.#series.size < this.#maxSeries - this.#restMax) {
      const series = this.#make(this.#checked(labels));
      this.#series.set(key, series);
      return series;
    }
    const checked = this.#checked(labels);
    this.overflowed++;
    return this.#restOf(checked, this.definition.fixed ?? []);
  }

  /** Every series there is. */
  *[Symbol.iterator](): Generator<S> {
    yield* this.#series.values();
    yield* this.#rest.values();
  }

  get size(): number {
    return this.#series.size + this.#rest.size;
  }

  #restOf(labels: Labels, fixed: readonly string[]): S {
    const entries = Object.entries(labels).map(([key, value]) => [key, fixed.includes(key) ? value : OTHER]);
    const rest: Labels = Object.fromEntries(entries);
    // With nothing kept of the labels, all of them are one, whichever they have.
    const key = fixed.length === 0 ? "" : keyOf(rest);
    const known = this.#rest.get(key);
    if (known !== undefined) return known;
    if (fixed.length > 0 && this.#rest.size >= this.#restMax - 1) return this.#restOf(labels, []);
    const series = this.#make(rest);
    this.#rest.set(key, series);
    if (this.#rest.size === 1) this.#onOverflow();
    return series;
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
