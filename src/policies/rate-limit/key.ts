import { type QuotaShare, type Waiter, WaitQueue } from "../../core/index.ts";
import { type CallCost, costOf } from "./accounting.ts";
import type { Cost, Meter } from "./meter.ts";

/** What limits are kept for, narrowest first: the order in which a call passes them. */
export const RANKS = ["client", "label", "model", "target", "credential", "global"] as const;
export type Rank = (typeof RANKS)[number];

/** These share out what is yours; the limits of the others stand for the provider's, and count as it does. */
const OWN: ReadonlySet<Rank> = new Set(["client", "label"]);

/** A call that waits at one of its keys. */
export interface Waiting {
  /** Narrowest first. */
  readonly keys: readonly Key[];
  readonly cost: CallCost;
  /** 0 (first) to 9 (last). */
  readonly level: number;
  /** Among those of one level each has its share of the tokens. */
  readonly tenant: string | undefined;
  readonly since: number;
  /** Who is first among those of its tenant: `since`, or when it first asked for the slot that it has left. */
  readonly due: number;
  readonly admitBy: number;
  /** Asked when its turn has come: whether it has a slot of the pool, or one is free for it. */
  seated(): boolean;
  /** Called once, when its cost has been taken from every key. */
  admitted(now: number): void;
  /** Called once instead, when its turn has come and it has no slot: nothing has been taken. */
  unseated(now: number): void;
  /** Called once instead, when `admitBy` has come. */
  expired(now: number): void;
  /** Where it waits; `undefined` when it no longer does. */
  place: Place | undefined;
  /** Where its turn has come last, and its tenant was charged. */
  turn: Place | undefined;
}

interface Place {
  readonly key: Key;
  readonly waiter: Waiter<Waiting>;
}

const NOTHING: Cost = costOf(0, 0, 0);
/** How much the time that the latest call held its place says about the next one's. */
const HELD_WEIGHT = 0.1;

/** A thing with limits, and those who wait for it. */
export class Key {
  readonly rank: Rank;
  readonly rankIndex: number;
  readonly name: string;
  meters: readonly Meter[];
  /** Most calls at the same time. */
  concurrency = Number.POSITIVE_INFINITY;
  /** This process's part of a quota that several draw from. */
  share: QuotaShare | undefined;
  /** Nobody passes before this time. */
  gateUntil = 0;
  /** When the first of those who wait may pass, as far as this key is concerned. */
  readyAt = Number.POSITIVE_INFINITY;
  readonly #own: boolean;
  #queue: WaitQueue<Waiting> | undefined;
  #waitingCost = NOTHING;
  #running = 0;
  #heldMs = 0;

  constructor(rank: Rank, name: string, meters: readonly Meter[] = []) {
    this.rank = rank;
    this.rankIndex = RANKS.indexOf(rank);
    this.name = name;
    this.meters = meters;
    this.#own = OWN.has(rank);
  }

  get waiting(): number {
    return this.#queue?.size ?? 0;
  }

  /** What those who wait will take. */
  get waitingCost(): Cost {
    return this.#waitingCost;
  }

  /** Calls that have passed and are not over. */
  get running(): number {
    return this.#running;
  }

  get head(): Waiting | undefined {
    return this.#queue?.peek();
  }

  add(waiting: Waiting): void {
    this.#queue ??= new WaitQueue();
    this.#waitingCost = sum(this.#waitingCost, this.#costOf(waiting.cost), 1);
    const { level, tenant, due } = waiting;
    // By when it came to the limiter: a call that moves from key to key keeps its place.
    const waiter = this.#queue.add(waiting, level, { tenant, cost: waiting.cost.own.tokens, due });
    waiting.place = { key: this, waiter };
  }

  /** Takes the head, and charges its tenant. */
  takeHead(): void {
    const head = this.#queue?.take();
    if (head === undefined) return;
    head.turn = head.place;
    this.#left(head);
  }

  /** Puts what one that was taken has really used in place of what its tenant was charged. */
  settleTurn(waiter: Waiter<Waiting>, tokens: number): void {
    this.#queue?.settle(waiter, tokens);
  }

  /** Who must make room for a newcomer, if anybody. */
  lastBehind(level: number, tenant: string | undefined): Waiting | undefined {
    return this.#queue?.lastBehind(level, tenant)?.item;
  }

  remove(waiting: Waiting): void {
    if (waiting.place?.key !== this) return;
    this.#queue?.remove(waiting.place.waiter);
    this.#left(waiting);
  }

  /** Milliseconds until `cost` passes here; 0 if it does now, `Infinity` if that depends on what is under way. */
  delay(call: CallCost, now: number): number {
    if (this.#running >= this.concurrency) return Number.POSITIVE_INFINITY;
    const cost = this.#costOf(call);
    let ms = Math.max(0, this.gateUntil - now);
    for (const meter of this.meters) ms = Math.max(ms, meter.delay((meter.guards ? call.mean : cost)[meter.unit], now));
    return this.share === undefined ? ms : Math.max(ms, this.share.delay(cost, now));
  }

  /** Whether `call` would pass here now, with nobody waiting and at least this share of every limit free before it. */
  hasRoom(call: CallCost, share: number, now: number): boolean {
    if (this.waiting > 0 || this.#running > this.concurrency * (1 - share)) return false;
    return this.delay(call, now) === 0 && this.meters.every((meter) => meter.free(now) >= share);
  }

  /** The same for a newcomer, who lets those before it go first; a guess where it depends on what is under way. */
  expectedDelay(call: CallCost, level: number, tenant: string | undefined, now: number): number {
    return this.delayBehind(this.#queue?.aheadOf(level, tenant) ?? 0, call, now);
  }

  /** The same behind so many of those who wait. */
  delayBehind(ahead: number, call: CallCost, now: number): number {
    const cost = this.#costOf(call);
    const costAhead = ahead === 0 ? NOTHING : sum(NOTHING, this.#waitingCost, ahead / this.waiting);
    let ms = Math.max(0, this.gateUntil - now, this.#placeIn(ahead));
    for (const meter of this.meters) {
      ms = Math.max(ms, meter.delay(cost[meter.unit], now, costAhead[meter.unit]));
    }
    const sharedMs = this.share?.delay(sum(costAhead, cost, 1), now) ?? 0;
    return sharedMs === Number.POSITIVE_INFINITY ? ms : Math.max(ms, sharedMs);
  }

  /** Takes `cost` for a call that other keys have kept waiting since `since`. */
  take(call: CallCost, now: number, since: number): void {
    const cost = this.#costOf(call);
    this.#running++;
    for (const meter of this.meters) meter.take((meter.guards ? call.mean : cost)[meter.unit], now, since);
    this.share?.take(cost, now);
  }

  correct(from: CallCost, to: CallCost, takenAt: number, now: number): void {
    const [estimate, used] = [this.#costOf(from), this.#costOf(to)];
    for (const meter of this.meters) {
      if (meter.guards) meter.correct(from.mean[meter.unit], to.mean[meter.unit], takenAt, now);
      else meter.correct(estimate[meter.unit], used[meter.unit], takenAt, now);
    }
    this.share?.correct(estimate, used, takenAt, now);
  }

  /** A call that has passed is over. */
  over(takenAt: number, now: number): void {
    this.#running--;
    this.#heldMs += (now - takenAt - this.#heldMs) * HELD_WEIGHT;
  }

  /** True when forgetting it changes nothing for the calls to come. */
  isIdle(now: number): boolean {
    return (
      this.waiting === 0 &&
      this.#running === 0 &&
      this.gateUntil <= now &&
      this.meters.every((meter) => meter.taken(now) <= 0)
    );
  }

  #costOf(call: CallCost): Cost {
    return this.#own ? call.own : call.provider;
  }

  #placeIn(ahead: number): number {
    const before = this.#running + ahead + 1 - this.concurrency;
    return before <= 0 ? 0 : (before * this.#heldMs) / this.concurrency;
  }

  #left(waiting: Waiting): void {
    waiting.place = undefined;
    this.#waitingCost = this.waiting === 0 ? NOTHING : sum(this.#waitingCost, this.#costOf(waiting.cost), -1);
  }
}

function sum(a: Cost, b: Cost, times: number): Cost {
  return {
    requests: a.requests + b.requests * times,
    tokens: a.tokens + b.tokens * times,
    inputTokens: a.inputTokens + b.inputTokens * times,
    outputTokens: a.outputTokens + b.outputTokens * times,
  };
}
