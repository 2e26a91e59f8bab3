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

  /** Whether an invalidation of `entry` could not have gone unheard for longer than allowed. */
  vouchesFor({ createdAt, tookMs }: Entry): boolean {
    if (this.#contacts.length === 0) return true;
    const now = this.#clock.wall();
    for (const contact of this.#contacts) {
      if (contact.connected()) contact.at = now;
      // An answer that was asked for later than the last contact was in order then.
      else if (now - Math.max(contact.at, createdAt - tookMs) > this.#maxStaleMs()) return false;
    }
    return true;
  }

  stop(): void {
    for (const { stop } of this.#contacts) stop();
  }
}
