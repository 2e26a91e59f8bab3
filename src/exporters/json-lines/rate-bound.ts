import type { EventType } from "../../core/index.ts";

const WINDOW_MS = 1_000;

interface Window {
  startedAt: number;
  count: number;
}

/** At most so many of each type within a second. */
export class RateBound {
  readonly #perSecond: number;
  readonly #windows = new Map<EventType, Window>();

  constructor(perSecond: number) {
    this.#perSecond = perSecond;
  }

  admits(type: EventType, now: number): boolean {
    let window = this.#windows.get(type);
    if (window === undefined) {
      window = { startedAt: now, count: 0 };
      this.#windows.set(type, window);
    } else if (now - window.startedAt >= WINDOW_MS) {
      window.startedAt = now;
      window.count = 0;
    }
    return ++window.count <= this.#perSecond;
  }
}
