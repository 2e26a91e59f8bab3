const SHARE_FROM = 0.1;
// Multiples of it, modulo 1, are spread evenly however many there are.
const GOLDEN_RATIO = 0.6180339887498949;

/** The time after closing in which the share of calls that pass grows from 10 % to all. */
export class Ramp {
  #from = 0;
  #ms = 0;
  #credit = 0;
  #refused = 0;

  start(now: number, ms: number): void {
    this.#from = now;
    this.#ms = ms;
    this.#credit = 0;
    this.#refused = 0;
  }

  stop(): void {
    this.#ms = 0;
  }

  isOver(now: number): boolean {
    return now - this.#from >= this.#ms;
  }

  /** Whether a call passes that belongs to the share. */
  admits(now: number): boolean {
    this.#credit += SHARE_FROM + (1 - SHARE_FROM) * ((now - this.#from) / this.#ms);
    if (this.#credit < 1) return false;
    this.#credit--;
    return true;
  }

  /**
   * When a call that was refused passes for certain. Those who are refused are spread over as long again as the ramp
   * still takes: were all told its end, they would come back as the herd that it keeps away.
   */
  retryAfterMs(now: number): number {
    const spread = (this.#refused++ * GOLDEN_RATIO) % 1;
    return (this.#from + this.#ms - now) * (1 + spread);
  }
}
