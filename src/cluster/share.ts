import type { Clock, QuotaAmounts, QuotaHolder, QuotaLimit, QuotaShare, Timer } from "../core/index.ts";
import { Demand } from "./demand.ts";
import { type Granted, type LimitHost, LimitShare, type Statement } from "./limit.ts";
import { limitsOf, limitsText } from "./limits-text.ts";

/** The keys whose limits a provider tells: see `SharedQuotas`. */
const PROVIDERS = "target/";
/** How often the server is told what was used, given back or owed, if nothing else takes it there. */
const NEWS_EVERY_MS = 500;
/** How often a long window that is used up is looked at, since others may give something back. */
const ASK_AGAIN_MS = 60_000;

/** What a share needs of the cluster it belongs to. */
export interface ShareHost extends LimitHost {
  readonly clock: Clock;
  /** The server answers. */
  readonly reachable: boolean;
  /** Since when it does not. */
  readonly lostAt: number;
  /** Milliseconds until the gate of `key` opens; 0 when it is open. */
  gatedMs(key: string, now: number): number;
  /** One round trip; rejects when the server does not carry it out. */
  draw(key: string, request: DrawRequest): Promise<DrawReply>;
  /** It holds something, or has something to tell, and wants to be looked at now and then. */
  activate(share: KeyShare): void;
  limitsTold(key: string, limits: readonly QuotaLimit[]): void;
  closed(share: KeyShare): void;
}

export interface DrawRequest {
  readonly birth: string;
  readonly limits: string;
  /** These limits are news. */
  readonly told: boolean;
  readonly units: Readonly<Record<string, Statement>>;
}

export interface DrawReply {
  readonly birth: string;
  readonly limits: string;
  /** Until there will be enough of a long window; 0 when all that was asked for was granted. */
  readonly waitMs: number;
  readonly grants: Readonly<Record<string, Granted>>;
}

/** What this process holds of one key. */
export interface QuotaState {
  readonly key: string;
  readonly limits: readonly (QuotaLimit & {
    /** Units that it has reserved and not used. */
    readonly held: number;
  })[];
}

/** This process's part of the quota of one key. */
export class KeyShare implements QuotaShare {
  readonly key: string;
  readonly #host: ShareHost;
  readonly #holder: QuotaHolder;
  readonly #demand = new Demand();
  #limits: readonly LimitShare[] = [];
  #text = "";
  #told = false;
  #rejoins = false;
  #birth = "";
  #drawing = false;
  #scheduled = false;
  #blockedUntil = Number.NEGATIVE_INFINITY;
  #askAgainAt = Number.NEGATIVE_INFINITY;
  #timer: Timer | undefined;
  #timerAt = Number.POSITIVE_INFINITY;
  #drawnAt = Number.NEGATIVE_INFINITY;
  #closed = false;

  constructor(key: string, limits: readonly QuotaLimit[], holder: QuotaHolder, host: ShareHost) {
    this.key = key;
    this.#holder = holder;
    this.#host = host;
    this.setLimits(limits);
    if (this.#asksForLimits) this.#schedule();
  }

  delay(amounts: QuotaAmounts, now: number): number {
    const gatedMs = this.#host.gatedMs(this.key, now);
    if (this.#limits.length === 0) return gatedMs;
    // Several requests are no call that wants to pass, but a question about a queue.
    if (amounts.requests > 1) return Math.max(gatedMs, this.#expectedDelay(amounts, now));
    let heldMs = this.#heldDelay(amounts, now);
    if (heldMs === Number.POSITIVE_INFINITY) this.#schedule();
    if (heldMs > 0 && !this.#host.reachable) heldMs = Math.min(heldMs, this.#insuredDelay(amounts, now));
    else if (heldMs === Number.POSITIVE_INFINITY && this.#blockedUntil > now) heldMs = this.#blockedUntil - now;
    return Math.max(gatedMs, heldMs);
  }

  take(amounts: QuotaAmounts, now: number): void {
    if (this.#limits.length === 0) return;
    const insured = !this.#host.reachable && this.#heldDelay(amounts, now) > 0;
    this.#demand.took(amounts, now);
    this.#host.activate(this);
    for (const limit of this.#limits) {
      if (insured) limit.insuredTake(amounts[limit.unit], now);
      else limit.take(amounts[limit.unit], now);
    }
    if (!this.#scheduled && this.#limits.some((limit) => limit.runsOut(now))) this.#schedule();
  }

  correct(estimate: QuotaAmounts, used: QuotaAmounts): void {
    for (const limit of this.#limits) limit.correct(estimate[limit.unit], used[limit.unit]);
    if (this.#limits.some(({ hasNews }) => hasNews)) this.#host.activate(this);
  }

  setLimits(limits: readonly QuotaLimit[]): void {
    const text = limitsText(limits);
    if (text === this.#text) return;
    this.#adopt(limits, text);
    this.#told = text !== "";
    if (this.#told) this.#schedule();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#timer?.cancel();
    for (const limit of this.#limits) limit.giveAllBack();
    this.#host.closed(this);
  }

  /** Tells what is still to be told; for one that is closed. Never rejects. */
  async leave(): Promise<void> {
    if (this.#limits.every(({ hasNews }) => !hasNews)) return;
    await this.#host
      .draw(
        this.key,
        this.#request(() => 0, this.#host.clock.now()),
      )
      .catch(() => {});
  }

  /** Lets go of what is held for nothing, and tells the server what it does not know. Says whether to be looked at again. */
  tidy(now: number): boolean {
    for (const limit of this.#limits) limit.tidy(this.#wanted(limit, now), now);
    const hasNews = this.#told || this.#limits.some((limit) => limit.hasNews);
    if (hasNews) this.#schedule();
    return hasNews || this.#drawing || this.#limits.some(({ granted }) => granted.total > 0);
  }

  /** The server has come or gone: those who wait are looked at again. */
  turned(): void {
    if (this.#host.reachable) {
      this.#schedule();
      return;
    }
    const now = this.#host.clock.now();
    for (const limit of this.#limits) limit.insure(now);
    if (this.#limits.length > 0) this.#holder.widened();
  }

  /** The server had lost the key, and begun it anew without knowing what is held here. */
  reborn(birth: string): void {
    if (birth === this.#birth || this.#limits.every(({ granted }) => granted.total === 0)) return;
    this.#rejoins = true;
    this.#schedule();
  }

  get state(): QuotaState {
    return {
      key: this.key,
      limits: this.#limits.map(({ unit, windowMs, limit, granted }) => ({
        unit,
        windowMs,
        limit,
        held: granted.total,
      })),
    };
  }

  #heldDelay(amounts: QuotaAmounts, now: number): number {
    let ms = 0;
    for (const limit of this.#limits) ms = Math.max(ms, limit.delay(amounts[limit.unit], now));
    return ms;
  }

  #expectedDelay(amounts: QuotaAmounts, now: number): number {
    let ms = Math.max(0, this.#blockedUntil - now);
    for (const limit of this.#limits) {
      const perMs = this.#demand.perMs(limit.unit, now);
      ms = Math.max(ms, limit.expectedDelay(amounts[limit.unit], perMs, now));
    }
    return ms;
  }

  #insuredDelay(amounts: QuotaAmounts, now: number): number {
    let ms = 0;
    for (const limit of this.#limits) ms = Math.max(ms, limit.insuredDelay(amounts[limit.unit], now));
    return ms;
  }

  // What others have been told of a provider's limits, the server knows.
  get #asksForLimits(): boolean {
    return this.#limits.length === 0 && this.#birth === "" && this.key.startsWith(PROVIDERS);
  }

  /** What waits here, and what is expected to come soon. */
  #wanted({ unit, leadMs }: LimitShare, now: number): number {
    return this.#holder.waiting()[unit] + this.#demand.ahead(unit, leadMs, now);
  }

  // Not at once: who asks may be about to wait here, and others may ask in the same turn.
  #schedule(): void {
    if (this.#scheduled || this.#closed || !this.#host.reachable) return;
    this.#scheduled = true;
    queueMicrotask(() => {
      this.#scheduled = false;
      this.#look();
    });
  }

  #look(): void {
    if (this.#closed || this.#drawing || !this.#host.reachable) return;
    const now = this.#host.clock.now();
    if (this.#isDue(now)) void this.#draw(now);
  }

  #isDue(now: number): boolean {
    if (this.#told || this.#rejoins || this.#asksForLimits) return true;
    if (now >= this.#drawnAt + NEWS_EVERY_MS && this.#limits.some(({ hasNews }) => hasNews)) return true;
    if (now < this.#askAgainAt) {
      this.#lookAt(this.#askAgainAt, now);
      return false;
    }
    let due = false;
    for (const limit of this.#limits) {
      const from = limit.drawFrom(this.#wanted(limit, now), this.#demand.mean(limit.unit));
      if (from <= now) due = true;
      // Whoever waits for more than is held takes nothing, and would never bring us here.
      else if (limit.short > 0 && from < Number.POSITIVE_INFINITY) this.#lookAt(from, now);
    }
    return due;
  }

  async #draw(now: number): Promise<void> {
    this.#drawing = true;
    this.#drawnAt = now;
    this.#host.activate(this);
    const [limits, told] = [this.#limits, this.#told];
    const request = this.#request((limit) => limit.toAsk(this.#wanted(limit, now), this.#demand.mean(limit.unit)), now);
    this.#told = false;
    this.#rejoins = false;
    try {
      this.#receive(await this.#host.draw(this.key, request));
      this.#drawing = false;
      this.#look();
    } catch {
      this.#drawing = false;
      this.#told ||= told;
      for (const limit of limits) limit.failed(request.units[limit.name] as Statement);
    }
    if (this.#closed) void this.leave();
  }

  #request(askOf: (limit: LimitShare) => number, now: number): DrawRequest {
    const debtMs = now - this.#host.lostAt;
    return {
      birth: this.#birth,
      limits: this.#text,
      told: this.#told,
      units: Object.fromEntries(this.#limits.map((limit) => [limit.name, limit.statement(askOf(limit), debtMs)])),
    };
  }

  #receive({ birth, limits, waitMs, grants }: DrawReply): void {
    const now = this.#host.clock.now();
    this.#birth = birth;
    if (limits !== "" && limits !== this.#text && !this.#told) {
      const told = limitsOf(limits);
      this.#adopt(told, limits);
      this.#host.limitsTold(this.key, told);
    }
    for (const limit of this.#limits) {
      const granted = grants[limit.name];
      if (granted !== undefined) limit.receive(granted, now);
      if (this.#closed) limit.giveAllBack();
    }
    this.#blockedUntil = now + waitMs;
    this.#askAgainAt = now + Math.min(waitMs, ASK_AGAIN_MS);
    if (!this.#closed) this.#holder.widened();
  }

  #adopt(limits: readonly QuotaLimit[], text: string): void {
    const before = new Map(this.#limits.map((limit) => [limit.name, limit]));
    this.#text = text;
    this.#limits = limits.map((given) => {
      const limit = new LimitShare(given, this.#host);
      const kept = before.get(limit.name);
      if (kept === undefined) return limit;
      kept.limit = given.limit;
      return kept;
    });
  }

  #lookAt(at: number, now: number): void {
    if (at >= this.#timerAt) return;
    this.#timer?.cancel();
    this.#timerAt = at;
    this.#timer = this.#host.clock.background(at - now, () => {
      this.#timerAt = Number.POSITIVE_INFINITY;
      this.#look();
    });
  }
}
