// Rounding of a computed delay must not make a waiter wait a second time for a billionth of a millisecond.
const NEGLIGIBLE_MS = 1e-6;
/** What all processes together let through while the server is away, of what they may. */
const INSURED_SHARE = 0.9;

/** So much per millisecond, with a burst. Algorithm: GCRA, ITU-T I.371 (1996), as a leaky bucket. */
export class InsuranceBucket {
  #level = 0;
  #levelAt = 0;

  delay(amount: number, perMs: number, burst: number, now: number): number {
    const ms = (this.#levelOf(perMs, now) + Math.min(amount, burst) - burst) / perMs;
    return ms > NEGLIGIBLE_MS ? ms : 0;
  }

  /** `most` bounds the level that this leads to. */
  take(amount: number, perMs: number, now: number, most = Number.POSITIVE_INFINITY): void {
    const level = this.#levelOf(perMs, now);
    this.#level = Math.max(level, Math.min(level + amount, most));
    this.#levelAt = now;
  }

  #levelOf(perMs: number, now: number): number {
    return Math.max(0, this.#level - (now - this.#levelAt) * perMs);
  }
}

/** What an insurance needs to know of the cluster. */
export interface InsuranceHost {
  readonly burstMs: number;
  /** The most processes of late that may go by their parts, too. */
  mostProcesses(now: number): number;
  random(): number;
}

/** This process's part of a limit while the server cannot be asked. `limitPerMs` is the whole limit. */
export class Insurance {
  readonly #bucket = new InsuranceBucket();
  readonly #host: InsuranceHost;
  #spreadUntil = Number.NEGATIVE_INFINITY;

  constructor(host: InsuranceHost) {
    this.#host = host;
  }

  delay(amount: number, limitPerMs: number, now: number): number {
    const perMs = this.#perMs(limitPerMs, now);
    return this.#bucket.delay(amount, perMs, Math.max(1, perMs * this.#host.burstMs), now);
  }

  take(amount: number, limitPerMs: number, now: number, most?: number): void {
    this.#bucket.take(amount, this.#perMs(limitPerMs, now), now, most);
  }

  /**
   * The server is lost, and so much is held. A process whose part of the burst is less than a call takes begins at a
   * random time: of many processes, each with a call of its own at once, all together would let too much through.
   */
  begin(held: number, perCall: number, limitPerMs: number, now: number): void {
    const perMs = this.#perMs(limitPerMs, now);
    this.#bucket.take(held, perMs, now);
    // A server that comes and goes must not put off the first call again and again.
    if (now < this.#spreadUntil) return;
    this.#spreadUntil = now + perCall / perMs;
    const { burstMs } = this.#host;
    const burst = Math.max(perCall, INSURED_SHARE * limitPerMs * burstMs) / this.#host.mostProcesses(now);
    const level = this.#host.random() * perCall - burst;
    if (level > 0) this.#bucket.take(level, perMs, now, level);
  }

  /** The most that it lets through in a window. */
  most(limit: number, windowMs: number, now: number): number {
    const perMs = this.#perMs(limit / windowMs, now);
    return Math.min(limit, perMs * windowMs + Math.max(1, perMs * this.#host.burstMs));
  }

  #perMs(limitPerMs: number, now: number): number {
    return (limitPerMs * INSURED_SHARE) / this.#host.mostProcesses(now);
  }
}
