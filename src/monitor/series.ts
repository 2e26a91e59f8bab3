import { binOf, ExponentialHistogram, isRecordable } from "./exponential-histogram.ts";
import { SlotRing } from "./slot-ring.ts";
import type { WindowMemory } from "./window-memory.ts";

export type Labels = Readonly<Record<string, string>>;

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
  /** Values that were not taken: negative, infinite, not a number. */
  refused = 0;
  #ring = new SlotRing<Sum>(SUMS);

  constructor(labels: Labels) {
    this.labels = labels;
  }

  add(value: number, now: number): void {
    if (!isRecordable(value)) {
      this.refused++;
      return;
    }
    this.total += value;
    this.#ring.at(now).value += value;
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
  #value = 0;
  #setAt: number | undefined;
  #ttlMs: number;

  constructor(labels: Labels, ttlMs = Number.POSITIVE_INFINITY) {
    this.labels = labels;
    this.#ttlMs = ttlMs;
  }

  set(value: number, now: number): void {
    if (!Number.isFinite(value)) {
      this.refused++;
      return;
    }
    this.#value = value;
    this.#setAt = now;
  }

  add(delta: number, now: number): void {
    this.set(this.#value + delta, now);
  }

  /** The value, or `undefined` before it is set and once nobody has set it for as long as it is good for. */
  at(now: number): number | undefined {
    return this.#setAt !== undefined && now - this.#setAt <= this.#ttlMs ? this.#value : undefined;
  }
}

/** The distribution of one label set: since the start and in windows. */
export class HistogramSeries {
  readonly labels: Labels;
  /** Values that were not taken: negative, infinite, not a number. */
  refused = 0;
  readonly lifetime = new ExponentialHistogram({ wide: true });
  #ring: SlotRing<ExponentialHistogram>;

  constructor(labels: Labels, memory: WindowMemory) {
    this.labels = labels;
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
    if (!isRecordable(value)) {
      this.refused++;
      return;
    }
    const bin = binOf(value);
    this.lifetime.put(value, bin);
    this.#ring.at(now).put(value, bin);
  }

  /** Adds the values of the last `windowMs` to `into`. */
  collect(now: number, windowMs: number, into: ExponentialHistogram): void {
    this.#ring.visit(now, windowMs, (slot) => into.merge(slot));
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
