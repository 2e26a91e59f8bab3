import type { Clock, Entry } from "../../core/index.ts";

export interface Watched {
  readonly connected: () => boolean;
  readonly stop: () => void;
}

interface Contact extends Watched {
  /** When it was last seen connected, milliseconds since the Unix epoch. */
  at: number;
}

/**
 * Whether this process is being told of the invalidations of others. Where no tier tells of them, there is nothing to
 * wait for. While one that does is out of reach, what is in memory is vouched for only a short time.
 */
export class InvalidationWatch {
  readonly #clock: Clock;
  readonly #maxStaleMs: () => number;
  readonly #contacts: Contact[] = [];

  /** `maxStaleMs`: how long an entry in memory may be given without knowing that it still holds. */
  constructor(clock: Clock, maxStaleMs: () => number) {
    this.#clock = clock;
    this.#maxStaleMs = maxStaleMs;
  }

  add(watched: Watched): void {
    this.#contacts.push({ ...watched, at: this.#clock.wall() });
  }

  /** False while some invalidation may not have been told. */
  get connected(): boolean {
    return this.#contacts.every(({ connected }) => connected());
  }

  /**
   * How long ago an answer may have been asked for that is given without knowing that it still holds, in milliseconds.
   * One that was asked for later than the last contact was in order then.
   */
  get ageLimitMs(): number {
    if (this.#contacts.length === 0) return Number.POSITIVE_INFINITY;
    const now = this.#clock.wall();
    let isLong = false;
    for (const contact of this.#contacts) {
      if (contact.connected()) contact.at = now;
      else if (now - contact.at > this.#maxStaleMs()) isLong = true;
    }
    return isLong ? this.#maxStaleMs() : Number.POSITIVE_INFINITY;
  }

  /** Whether an invalidation of `entry` could not have gone unheard for longer than allowed. */
  vouchesFor({ createdAt, tookMs }: Entry): boolean {
    return this.#clock.wall() - (createdAt - tookMs) <= this.ageLimitMs;
  }

  stop(): void {
    for (const { stop } of this.#contacts) stop();
  }
}
