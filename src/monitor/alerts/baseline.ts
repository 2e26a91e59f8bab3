const SAMPLES_MAX = 288;
/** A twentieth of the span: what fewer samples say is not yet what is usual. */
const SAMPLES_MIN = 15;

/** The values of one label set over a span, 288 of them at most: for 24 hours one each 5 minutes, 2 KB. */
class Past {
  #values = new Float64Array(SAMPLES_MAX);
  #next = 0;
  #size = 0;
  #takenAt = Number.NEGATIVE_INFINITY;
  #median: number | undefined;

  /** Takes the value unless the last one was taken too short a time ago. */
  observe(value: number, now: number, stepMs: number): void {
    // Time without values is not part of the span: 24 hours of traffic, not of the clock.
    if (now - this.#takenAt < stepMs) return;
    this.#takenAt = now;
    this.#values[this.#next] = value;
    this.#next = (this.#next + 1) % SAMPLES_MAX;
    this.#size = Math.min(SAMPLES_MAX, this.#size + 1);
    this.#median = this.#size < SAMPLES_MIN ? undefined : medianOf(this.#values.slice(0, this.#size));
  }

  get median(): number | undefined {
    return this.#median;
  }

  idle(now: number, spanMs: number): boolean {
    return now - this.#takenAt > spanMs;
  }
}

/**
 * What is usual for each label set: the median of its own values. A change that lasts for half of the span becomes usual,
 * so an alert on it ends by itself.
 */
export class Baseline {
  #pasts = new Map<string, Past>();
  #spanMs: number;
  #max: number;

  /** `max`: label sets that are remembered; those beyond have no baseline. */
  constructor(spanMs: number, max = 500) {
    this.#spanMs = spanMs;
    this.#max = max;
  }

  /** The median before this value, which then is part of the past. */
  observe(key: string, value: number, now: number): number | undefined {
    let past = this.#pasts.get(key);
    if (past === undefined) {
      if (this.#pasts.size >= this.#max) this.#forgetIdle(now);
      if (this.#pasts.size >= this.#max) return undefined;
      past = new Past();
      this.#pasts.set(key, past);
    }
    const { median } = past;
    past.observe(value, now, this.#spanMs / SAMPLES_MAX);
    return median;
  }

  #forgetIdle(now: number): void {
    for (const [key, past] of this.#pasts) if (past.idle(now, this.#spanMs)) this.#pasts.delete(key);
  }
}

function medianOf(values: Float64Array): number {
  values.sort();
  return values[Math.floor(values.length / 2)] ?? 0;
}
