import type { QuotaLimit, QuotaUnit } from "../core/index.ts";
import { Grants } from "./grants.ts";
import { Insurance, type InsuranceHost } from "./insurance.ts";
import { LongUse } from "./long-use.ts";
import type { Granted, Statement } from "./protocol.ts";

/** Windows longer than this are not paced by the server: see the script. */
const PACED_WINDOW_MAX_MS = 3_600_000;
/** Most that is asked for at once, as the time in which it flows; of a long window, this share. */
const BLOCK_MS = 250;
/** All blocks together are no more than flows in this time, or a newcomer would wait for longer. */
const BLOCKS_MS = 2_000;
const BLOCK_SHARE = 0.01;
/** So long before what is held runs out, more is asked for. */
const LEAD_MS = 100;
/** Who wants more than can be asked for at once asks twice, unless the units lie so far ahead already. */
const HORIZON_MS = 1_500;
/** What can be used later than this and is not wanted any more is given back at once. */
const KEPT_AHEAD_MS = 500;
/** What its limits need to know of a share. */
export interface LimitHost extends InsuranceHost {
  /** How many processes share the quotas. */
  readonly processes: number;
}

/** This process's part of one limit of one key. */
export class LimitShare {
  readonly unit: QuotaUnit;
  readonly windowMs: number;
  readonly name: string;
  readonly granted = new Grants();
  /** The smallest amount since the last answer that was more than is held. */
  short = 0;
  #limit: number;
  #burst: number;
  readonly #host: LimitHost;
  /** With less than this, more is asked for before it is used up. */
  #lowWater = 1;
  /** More is wanted than can be asked for at once. */
  #backlogged = false;
  /** Most that is asked for at once. */
  #block = 1;
  #leadMs = 0;
  readonly #insurance: Insurance;
  readonly #longUse: LongUse | undefined;
  #change = 0;
  #debt = 0;
  #flown = 0;
  /** No more can have flown off unused until then. */
  #busyUntil = 0;

  constructor({ unit, windowMs, limit }: QuotaLimit, host: LimitHost) {
    this.unit = unit;
    this.windowMs = windowMs;
    this.name = `${unit}/${windowMs}`;
    this.#host = host;
    this.#insurance = new Insurance(host);
    this.#longUse = this.#isPaced ? undefined : new LongUse(windowMs);
    this.#limit = limit;
    this.#burst = this.#burstOf(limit);
  }

  /** How far ahead the last units lay when they were granted. */
  get leadMs(): number {
    return this.#leadMs;
  }

  get limit(): number {
    return this.#limit;
  }

  set limit(limit: number) {
    this.#limit = limit;
    this.#burst = this.#burstOf(limit);
  }

  /** Cheap, for after each call: whether it is time to find out if more is to be asked for. */
  runsOut(now: number): boolean {
    if (this.#wantsSecondBlock) return true;
    return (this.#backlogged || this.granted.total < this.#lowWater) && this.granted.lastAt <= now + LEAD_MS;
  }

  /** From when on more is to be asked for, if so much is wanted; `Infinity`: enough is held. */
  drawFrom(wanted: number, perCall: number): number {
    const { granted, short } = this;
    const goal = Math.max(wanted, short);
    const uncovered = goal - granted.total;
    this.#block = this.#blockFor(perCall);
    this.#lowWater = Math.max(1, Math.min(goal, this.#block) / 2);
    this.#backlogged = uncovered >= this.#block;
    if (uncovered <= 0) return Number.POSITIVE_INFINITY;
    if (this.#wantsSecondBlock) return Number.NEGATIVE_INFINITY;
    const wants = this.#backlogged || short > 0 || granted.total < this.#lowWater;
    return wants ? granted.lastAt - LEAD_MS : Number.POSITIVE_INFINITY;
  }

  /** How much to ask for, if so much is wanted. */
  toAsk(wanted: number, perCall: number): number {
    const { granted, short } = this;
    return Math.ceil(Math.max(0, Math.min(wanted - granted.total, this.#blockFor(perCall)), short - granted.total));
  }

  /** What is to be told is worth a round trip of its own. */
  get hasNews(): boolean {
    return this.#change !== 0 || this.#debt > 0;
  }

  /** Until one call may use `amount` of what is held; `Infinity` if there is too little. */
  delay(amount: number, now: number): number {
    const taken = Math.min(amount, this.#limit);
    if (this.granted.total < taken) {
      this.short = this.short === 0 ? taken : Math.min(this.short, taken);
      return Number.POSITIVE_INFINITY;
    }
    // A call that is larger than the burst begins when its first part may, as if it were alone.
    return Math.max(0, this.granted.readyAt(Math.min(taken, this.#burst)) - now);
  }

  /** Until the last of many calls that use `amount` together may, if units go on coming at `perMs`. */
  expectedDelay(amount: number, perMs: number, now: number): number {
    const { granted } = this;
    if (granted.total >= amount) return Math.max(0, granted.readyAt(amount) - now);
    if (perMs === 0) return Number.POSITIVE_INFINITY;
    const rate = Math.min(perMs, this.#perMs);
    return Math.max(0, granted.lastAt - now) + (amount - granted.total) / rate;
  }

  take(amount: number, now: number): void {
    const taken = Math.min(amount, this.#limit);
    this.granted.take(taken);
    this.#longUse?.add(taken, now);
    // What it has just used is a part of its share, too, should the server go away now.
    this.#insurance.take(taken, this.#perMs, now, this.#blockFor(amount));
  }

  insuredDelay(amount: number, now: number): number {
    return this.#insurance.delay(amount, this.#perMs, now);
  }

  /** The server is lost: what is held is a part of what may be used without it. */
  insure(perCall: number, now: number): void {
    this.#insurance.begin(this.granted.total, Math.max(1, Math.min(perCall, this.#limit)), this.#perMs, now);
  }

  insuredTake(amount: number, now: number): void {
    const taken = Math.min(amount, this.#limit);
    this.#insurance.take(taken, this.#perMs, now);
    this.#longUse?.add(taken, now);
    this.#debt += taken;
  }

  correct(estimate: number, used: number, now: number): void {
    const change = Math.min(used, this.#limit) - Math.min(estimate, this.#limit);
    // What is not owed after all was never taken from the server, and must not be given back to it.
    const forgiven = Math.min(this.#debt, Math.max(0, -change));
    this.#debt -= forgiven;
    this.#change += change + forgiven;
    this.#longUse?.add(change, now);
  }

  /** Lets go of what is too old. */
  expire(now: number): void {
    this.#change -= this.granted.expire(now);
  }

  /** Gives back what is too old, and what is held beyond `wanted`. */
  tidy(wanted: number, now: number): void {
    this.expire(now);
    const excess = Math.floor(this.granted.total - Math.max(wanted, 1));
    if (excess > 0 && this.granted.lastAt > now + KEPT_AHEAD_MS) this.#change -= this.granted.giveBack(excess);
  }

  giveAllBack(): void {
    this.#change -= this.granted.clear();
  }

  /** Whether a server that has lost the key has to be told of this process. */
  isMissed(now: number): boolean {
    return this.granted.total > 0 || this.#used(now) > 0;
  }

  /** What to tell and ask now. It counts as told until `failed`. */
  statement(ask: number, lostAt: number, now: number): Statement {
    // What was used more than a window ago counts no more.
    const debt = Math.min(this.#debt, this.#insurance.most(this.#limit, this.windowMs, now));
    const change = this.#change;
    const need = this.short;
    const held = this.granted.total + Math.max(0, this.#used(now) - debt - Math.max(0, change));
    this.#change = 0;
    this.#debt = 0;
    this.short = 0;
    // As if nobody had used any more until it was lost: what flew off before covers nothing.
    const flown = this.#flown + Math.max(0, lostAt - this.#busyUntil) * this.#perMs;
    return { ask, need, change, debt, debtMs: now - lostAt, flown, held };
  }

  /** It may or may not have arrived: what was used is told again, what was given back is lost. */
  failed({ change, debt }: Statement): void {
    this.#change += Math.max(0, change);
    this.#debt += debt;
  }

  receive({ amount, fromMs, perMs, flown }: Granted, now: number): void {
    this.#flown = flown;
    this.#busyUntil = perMs === 0 ? now : now + fromMs + (this.#burst + amount) / perMs;
    if (amount === 0) return;
    this.granted.add(amount, now + fromMs, perMs, now);
    this.#leadMs = perMs === 0 ? 0 : fromMs + amount / perMs;
  }

  /** What came too late to be used: the time of paced units has passed. */
  refuse({ amount, perMs }: Granted): void {
    if (perMs === 0) this.#change -= amount;
  }

  /** Most that is asked for at once, but never less than a call takes. */
  #blockFor(perCall: number): number {
    const most = Math.min(BLOCK_MS, BLOCKS_MS / this.#host.processes) * this.#perMs;
    return Math.max(1, Math.min(perCall, this.#limit), this.#isPaced ? most : this.#limit * BLOCK_SHARE);
  }

  // Where many want more, one block of each reaches far enough.
  get #wantsSecondBlock(): boolean {
    return this.#backlogged && this.#leadMs < HORIZON_MS && this.granted.total <= this.#block;
  }

  #used(now: number): number {
    return this.#longUse?.total(now) ?? 0;
  }

  get #isPaced(): boolean {
    return this.windowMs <= PACED_WINDOW_MAX_MS;
  }

  get #perMs(): number {
    return this.#limit / this.windowMs;
  }

  #burstOf(limit: number): number {
    return this.#isPaced ? Math.max(1, (limit * this.#host.burstMs) / this.windowMs) : limit;
  }
}
