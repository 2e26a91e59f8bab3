import type { QuotaAmounts, QuotaLimit } from "../core/index.ts";
import type { Demand } from "./demand.ts";
import { type LimitHost, LimitShare } from "./limit.ts";
import { limitsText } from "./limits-text.ts";

/** This process's part of all limits of one key: a call needs all of them. */
export class LimitSet {
  readonly #host: LimitHost;
  #all: readonly LimitShare[] = [];
  #text = "";

  constructor(host: LimitHost) {
    this.#host = host;
  }

  get all(): readonly LimitShare[] {
    return this.#all;
  }

  /** As the server keeps them. */
  get text(): string {
    return this.#text;
  }

  get isEmpty(): boolean {
    return this.#all.length === 0;
  }

  get hasNews(): boolean {
    return this.#all.some((limit) => limit.hasNews);
  }

  get holdsAny(): boolean {
    return this.#all.some(({ granted }) => granted.total > 0);
  }

  isMissed(now: number): boolean {
    return this.#all.some((limit) => limit.isMissed(now));
  }

  /** Says whether they are others than before. What is held of those that stay is kept. */
  become(limits: readonly QuotaLimit[]): boolean {
    const text = limitsText(limits);
    if (text === this.#text) return false;
    const before = new Map(this.#all.map((limit) => [limit.name, limit]));
    this.#text = text;
    this.#all = limits.map((given) => {
      const limit = new LimitShare(given, this.#host);
      const kept = before.get(limit.name);
      if (kept === undefined) return limit;
      kept.limit = given.limit;
      return kept;
    });
    return true;
  }

  /** Until one call may go on what is held; `Infinity` if there is too little. */
  heldDelay(amounts: QuotaAmounts, now: number): number {
    let ms = 0;
    for (const limit of this.#all) ms = Math.max(ms, limit.delay(amounts[limit.unit], now));
    return ms;
  }

  /** Until the last of many calls may go, if units go on coming as they have come lately. */
  expectedDelay(amounts: QuotaAmounts, demand: Demand, now: number): number {
    let ms = 0;
    for (const limit of this.#all) {
      const perMs = demand.perMs(limit.unit, now);
      ms = Math.max(ms, limit.expectedDelay(amounts[limit.unit], perMs, now));
    }
    return ms;
  }

  /** Until one call may go without the server. */
  insuredDelay(amounts: QuotaAmounts, now: number): number {
    let ms = 0;
    for (const limit of this.#all) ms = Math.max(ms, limit.insuredDelay(amounts[limit.unit], now));
    return ms;
  }

  expire(now: number): void {
    for (const limit of this.#all) limit.expire(now);
  }

  giveAllBack(): void {
    for (const limit of this.#all) limit.giveAllBack();
  }
}
