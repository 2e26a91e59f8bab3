import { FINE_MS, FINE_WINDOW_MS, SlotRing } from "./slot-ring.ts";

/** How a value went within one slot: set at least once in it, first at `start`, last at `lastAt`. */
interface Span {
  /** What the value was before `start`; NaN when it was not known. */
  before: number;
  start: number;
  lastAt: number;
  last: number;
  /** The integral of the value from `start` to `lastAt`, in value times milliseconds. */
  area: number;
  min: number;
  max: number;
}

/** What a value was over a stretch of time. */
export interface Course {
  /** Weighted by how long it had each value. */
  readonly mean: number;
  readonly min: number;
  readonly max: number;
  readonly last: number;
}

const KIND = {
  fresh: (now: number): Span => ({
    before: Number.NaN,
    start: now,
    lastAt: now,
    last: Number.NaN,
    area: 0,
    min: Number.POSITIVE_INFINITY,
    max: Number.NEGATIVE_INFINITY,
  }),
  fold: (into: Span, from: Span): void => {
    if (Number.isNaN(into.last)) {
      Object.assign(into, from);
      return;
    }
    into.area += into.last * (from.start - into.lastAt) + from.area;
    into.lastAt = from.lastAt;
    into.last = from.last;
    into.min = Math.min(into.min, from.min);
    into.max = Math.max(into.max, from.max);
  },
};

/** The last hour of a value that holds until it is set again: a step function, kept only where it was set. */
export class GaugeHistory {
  #ring = new SlotRing<Span>(KIND);

  /** Tells of a value set now; `before` is what it was until now, NaN when that is not known. */
  set(value: number, before: number, now: number): void {
    const span = this.#ring.at(now);
    if (Number.isNaN(span.last)) {
      span.before = before;
      span.start = now;
    } else {
      span.area += span.last * (now - span.lastAt);
    }
    span.lastAt = now;
    span.last = value;
    if (value < span.min) span.min = value;
    if (value > span.max) span.max = value;
  }

  /**
   * The course in the slots from `from` to before `until`, which lie on borders of slots, as far as `now`. `current` is the
   * value now, and has been since it was last set; NaN when it is not known any more. `undefined` when nothing is known of
   * that time.
   */
  between(from: number, until: number, now: number, current: number): Course | undefined {
    const spans: Span[] = [];
    let after = current;
    let afterStart = Number.POSITIVE_INFINITY;
    const fine = now - from <= FINE_WINDOW_MS + FINE_MS;
    this.#ring.visitFrom(from, fine, (span, start) => {
      if (start >= until) {
        if (span.start < afterStart) {
          after = span.before;
          afterStart = span.start;
        }
      } else {
        spans.push(span);
      }
    });
    spans.sort((a, b) => a.start - b.start);
    return courseOf(spans, { from, to: Math.min(until, now), after });
  }
}

function courseOf(
  spans: readonly Span[],
  { from, to, after }: { from: number; to: number; after: number },
): Course | undefined {
  let area = 0;
  let knownMs = 0;
  let min = Number.POSITIVE_INFINITY;
  let max = Number.NEGATIVE_INFINITY;
  let last = Number.NaN;
  let at = from;
  const hold = (value: number, until: number): void => {
    if (Number.isNaN(value) || until < at) return;
    area += value * (until - at);
    knownMs += until - at;
    last = value;
    if (until > at || until === to) {
      min = Math.min(min, value);
      max = Math.max(max, value);
    }
  };
  for (const span of spans) {
    hold(span.before, span.start);
    area += span.area;
    knownMs += span.lastAt - span.start;
    min = Math.min(min, span.min);
    max = Math.max(max, span.max);
    last = span.last;
    at = span.lastAt;
  }
  hold(after, to);
  if (Number.isNaN(last)) return undefined;
  return { mean: knownMs > 0 ? area / knownMs : last, min, max, last };
}
