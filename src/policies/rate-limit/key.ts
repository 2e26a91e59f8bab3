import { type Waiter, WaitQueue } from "../../core/index.ts";
import type { Cost, Meter } from "./meter.ts";

/** What limits are kept for, narrowest first: the order in which a call passes them. */
export const RANKS = ["client", "model", "target", "global"] as const;
export type Rank = (typeof RANKS)[number];

/** A call that waits at one of its keys. */
export interface Waiting {
  /** Narrowest first. */
  readonly keys: readonly Key[];
  readonly cost: Cost;
  /** 0 (first) to 9 (last). */
  readonly level: number;
  readonly admitBy: number;
  /** Called once, when its cost has been taken from every key. */
  admitted(now: number): void;
  /** Called once instead, when `admitBy` has come. */
  expired(now: number): void;
  /** Where it waits; `undefined` when it no longer does. */
  place: { readonly key: Key; readonly waiter: Waiter<Waiting> } | undefined;
}

/** A thing with limits, and those who wait for it. */
export class Key {
  readonly rank: Rank;
  readonly name: string;
  meters: readonly Meter[];
  /** Nobody passes before this time. */
  gateUntil = 0;
  /** When the first of those who wait may pass, as far as this key is concerned. */
  readyAt = Number.POSITIVE_INFINITY;
  #queue: WaitQueue<Waiting> | undefined;
  #waitingTokens = 0;

  constructor(rank: Rank, name: string, meters: readonly Meter[]) {
    this.rank = rank;
    this.name = name;
    this.meters = meters;
  }

  get waiting(): number {
    return this.#queue?.size ?? 0;
  }

  get head(): Waiting | undefined {
    return this.#queue?.peek();
  }

  add(waiting: Waiting): void {
    this.#queue ??= new WaitQueue();
    this.#waitingTokens += waiting.cost.tokens;
    waiting.place = { key: this, waiter: this.#queue.add(waiting, waiting.level) };
  }

  /** Takes the head. */
  takeHead(): void {
    const head = this.#queue?.take();
    if (head === undefined) return;
    head.place = undefined;
    this.#waitingTokens -= head.cost.tokens;
  }

  remove(waiting: Waiting): void {
    if (waiting.place?.key !== this) return;
    this.#queue?.remove(waiting.place.waiter);
    waiting.place = undefined;
    this.#waitingTokens -= waiting.cost.tokens;
  }

  /** Milliseconds until `cost` passes here; 0 if it does now. */
  delay(cost: Cost, now: number): number {
    let ms = Math.max(0, this.gateUntil - now);
    for (const meter of this.meters) ms = Math.max(ms, meter.delay(cost[meter.unit], now));
    return ms;
  }

  /** The same for a newcomer, who lets those before it go first. */
  expectedDelay(cost: Cost, level: number, now: number): number {
    const ahead = this.#queue?.aheadOf(level) ?? 0;
    if (ahead === 0) return this.delay(cost, now);
    const costAhead = { requests: ahead, tokens: (ahead * this.#waitingTokens) / this.waiting };
    let ms = Math.max(0, this.gateUntil - now);
    for (const meter of this.meters) {
      ms = Math.max(ms, meter.delay(cost[meter.unit], now, costAhead[meter.unit]));
    }
    return ms;
  }

  take(cost: Cost, now: number): void {
    for (const meter of this.meters) meter.take(cost[meter.unit], now);
  }

  correct(estimate: Cost, used: Cost, takenAt: number, now: number): void {
    for (const meter of this.meters) meter.correct(estimate[meter.unit], used[meter.unit], takenAt, now);
  }

  /** True when forgetting it changes nothing for the calls to come. */
  isIdle(now: number): boolean {
    return this.waiting === 0 && this.gateUntil <= now && this.meters.every((meter) => meter.taken(now) <= 0);
  }
}
