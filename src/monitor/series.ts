import { bucketOf } from "./bounds.ts";
import { binOf, ExponentialHistogram, isRecordable } from "./exponential-histogram.ts";
import { type Course, GaugeHistory } from "./gauge-history.ts";
import { SlotRing } from "./slot-ring.ts";
import type { WindowMemory } from "./window-memory.ts";

export type Labels = Readonly<Record<string, string>>;

/** What one series may come to, up or down: all series of a metric together stay finite. */
const AMOUNT_MAX = 1e300;

interface Sum {
  value: number;
}

const SUMS = {
  fresh: (): Sum => ({ value: 0 }),
  fold: (into: Sum, from: Sum): void => {
    into.value += from.value;
  },
};

/** A count of one label set: since the start and in windows. */
export class CounterSeries {
  readonly labels: Labels;
  total = 0;
  /** Values that were not taken: negative, not finite, not a number. */
  refused = 0;
  /** The clock's time of the first value. */
  bornAt = Number.POSITIVE_INFINITY;
  #ring = new SlotRing<Sum>(SUMS);

  constructor(labels: Labels) {
    this.labels = labels;
  }

  add(value: number, now: number): void {
    if (!isRecordable(value) || this.total + value > AMOUNT_MAX) {
      this.refused++;
      return;
    }
    if (now < this.bornAt) this.bornAt = now;
    this.total += value;
    this.#ring.at(now).value += value;
  }

  /** Brings the total to that of a count that is kept elsewhere and never goes back. */
  raiseTo(total: number, now: number): void {
    if (total > this.total) this.add(total - this.total, now);
  }

  /** Visits what was added in each slot from `from` on; see `SlotRing.visitFrom`. */
  visitFrom(from: number, fine: boolean, visitor: (value: number, start: number) => void): void {
    this.#ring.visitFrom(from, fine, (slot, start) => visitor(slot.value, start));
  }

  /** What was added in the last `windowMs`. */
  within(now: number, windowMs: number): number {
    let sum = 0;
    this.#ring.visit(now, windowMs, (slot) => {
      sum += slot.value;
    });
    return sum;
  }
}

/** A value of one label set that goes up and down. */
export class GaugeSeries {
  readonly labels: Labels;
  /** Values that were not taken: infinite, not a number. */
  refused = 0;
  #value = Number.NaN;
  #setAt = Number.NEGATIVE_INFINITY;
  #ttlMs: number;
  #history = new GaugeHistory();

  constructor(labels: Labels, ttlMs = Number.POSITIVE_INFINITY) {
    this.labels = labels;
    this.#ttlMs = ttlMs;
  }

  set(value: number, now: number): void {
    if (!Number.isFinite(value) || Math.abs(value) > AMOUNT_MAX) {
      this.refused++;
      return;
    }
    this.#history.set(value, now - this.#setAt <= this.#ttlMs ? this.#value : Number.NaN, now);
    this.#value = value;
    this.#setAt = now;
  }

  add(delta: number, now: number): void {
    this.set((Number.isNaN(this.#value) ? 0 : this.#value) + delta, now);
  }

  /** The value, or `undefined` before it is set and once nobody has set it for as long as it is good for. */
  at(now: number): number | undefined {
    return Number.isNaN(this.#value) || now - this.#setAt > this.#ttlMs ? undefined : this.#value;
  }

  /** How it went in the slots from `from` to before `until`; `undefined` when it was not known then. */
  between(from: number, until: number, now: number): Course | undefined {
    const known = this.#setAt < until && Math.max(from, this.#setAt) - this.#setAt <= this.#ttlMs;
    return this.#history.between(from, until, now, known ? this.#value : Number.NaN);
  }
}

/** The distribution of one label set: since the start and in windows. */
export class HistogramSeries {
  readonly labels: Labels;
  /** Values that were not taken: negative, not finite, not a number. */
  refused = 0;
  readonly lifetime = new ExponentialHistogram({ wide: true });
  /** Upper bounds of the explicit buckets, and how many values since the start lie in each; the last has no bound. */
  readonly bounds: readonly number[];
  readonly bucketCounts: Float64Array;
  #ring: SlotRing<ExponentialHistogram>;

  constructor(labels: Labels, memory: WindowMemory, bounds: readonly number[]) {
    this.labels = labels;
    this.bounds = bounds;
    this.bucketCounts = new Float64Array(bounds.length + 1);
    this.#ring = new SlotRing({
      fresh: (now) => {
        memory.check(now);
        return new ExponentialHistogram({ meter: memory });
      },
      fold: (into, from) => into.merge(from),
      drop: (slot) => {
        memory.bytes -= slot.bytes;
      },
    });
    memory.add(this.#ring as SlotRing<never>);
  }

  record(value: number, now: number): void {
    if (!isRecordable(value) || this.lifetime.sum + value > AMOUNT_MAX) {
      this.refused++;
      return;
    }
    const bin = binOf(value);
    this.lifetime.put(value, bin);
    const bucket = bucketOf(this.bounds, value);
    this.bucketCounts[bucket] = (this.bucketCounts[bucket] as number) + 1;
    this.#ring.at(now).put(value, bin);
  }

  /** Adds the values of the last `windowMs` to `into`. */
  collect(now: number, windowMs: number, into: ExponentialHistogram): void {
    this.#ring.visit(now, windowMs, (slot) => into.merge(slot));
  }

  /** Visits each slot from `from` on; see `SlotRing.visitFrom`. */
  visitFrom(from: number, fine: boolean, visitor: (values: ExponentialHistogram, start: number) => void): void {
    this.#ring.visitFrom(from, fine, visitor);
  }

  /** Only the sum of them. */
  sumWithin(now: number, windowMs: number): number {
    let sum = 0;
    this.#ring.visit(now, windowMs, (slot) => {
      sum += slot.sum;
    });
    return sum;
  }
}

export type Series = CounterSeries | GaugeSeries | HistogramSeries;
