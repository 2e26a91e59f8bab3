import type { Clock, QuotaAmounts, QuotaHolder, QuotaLimit, QuotaShare, Timer } from "../core/index.ts";
import { Demand } from "./demand.ts";
import { KEPT_MS } from "./grants.ts";
import type { LimitHost, LimitShare } from "./limit.ts";
import { LimitSet } from "./limit-set.ts";
import { limitsOf } from "./limits-text.ts";
import type { DrawReply, DrawRequest, Statement } from "./protocol.ts";

/** The keys whose limits a provider tells: see `SharedQuotas`. */
const PROVIDERS = "target/";
/** How often the server is told what was used, given back or owed, if nothing else takes it there. */
const NEWS_EVERY_MS = 500;
/** What failed although the server answers is tried again so much later. */
const TRY_AGAIN_MS = 100;
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
  readonly #limits: LimitSet;
  #told = false;
  #rejoins = false;
  #birth = "";
  #drawing = false;
  #drawn: Promise<void> = Promise.resolve();
  #scheduled = false;
  #blockedUntil = Number.NEGATIVE_INFINITY;
  #askAgainAt = Number.NEGATIVE_INFINITY;
  #timer: Timer | undefined;
  #timerAt = Number.POSITIVE_INFINITY;
  #drawnAt = Number.NEGATIVE_INFINITY;
  #tidiedAt = Number.NEGATIVE_INFINITY;
  #closed = false;

  constructor(key: string, limits: readonly QuotaLimit[], holder: QuotaHolder, host: ShareHost) {
    this.key = key;
    this.#holder = holder;
    this.#host = host;
    this.#limits = new LimitSet(host);
    this.setLimits(limits);
    if (this.#asksForLimits) this.#schedule();
  }

  delay(amounts: QuotaAmounts, now: number): number {
    const gatedMs = this.#host.gatedMs(this.key, now);
    if (this.#limits.isEmpty) return gatedMs;
    // The process may have slept, and be back before its timers are.
    if (now > this.#tidiedAt + KEPT_MS) this.#expire(now);
    // Several requests are no call that wants to pass, but a question about a queue.
    if (amounts.requests > 1) return Math.max(gatedMs, this.#expectedDelay(amounts, now));
    let heldMs = this.#limits.heldDelay(amounts, now);
    if (heldMs === Number.POSITIVE_INFINITY) this.#schedule();
    if (heldMs > 0 && !this.#host.reachable) heldMs = Math.min(heldMs, this.#limits.insuredDelay(amounts, now));
    else if (heldMs === Number.POSITIVE_INFINITY && this.#blockedUntil > now) heldMs = this.#blockedUntil - now;
    return Math.max(gatedMs, heldMs);
  }

  take(amounts: QuotaAmounts, now: number): void {
    if (this.#limits.isEmpty) return;
    const insured = !this.#host.reachable && this.#limits.heldDelay(amounts, now) > 0;
    this.#demand.took(amounts, now);
    this.#host.activate(this);
    for (const limit of this.#limits.all) {
      if (insured) limit.insuredTake(amounts[limit.unit], now);
      else limit.take(amounts[limit.unit], now);
    }
    if (!this.#scheduled && this.#limits.all.some((limit) => limit.runsOut(now))) this.#schedule();
  }

  correct(estimate: QuotaAmounts, used: QuotaAmounts, _takenAt: number, now: number): void {
    for (const limit of this.#limits.all) limit.correct(estimate[limit.unit], used[limit.unit], now);
    if (this.#limits.hasNews) this.#host.activate(this);
  }

  setLimits(limits: readonly QuotaLimit[]): void {
    if (!this.#limits.become(limits)) return;
    this.#told = !this.#limits.isEmpty;
    if (this.#told) this.#schedule();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#timer?.cancel();
    this.#limits.giveAllBack();
    this.#host.closed(this);
  }

  /** Tells what is still to be told, when all that was asked for is there; for one that is closed. Never rejects. */
  async leave(): Promise<void> {
    await this.#drawn;
    if (!this.#limits.hasNews) return;
    const request = this.#request(() => 0, this.#host.clock.now());
    await this.#host.draw(this.key, request).catch(() => {});
  }

  /** Lets go of what is held for nothing, and tells the server of it. Says whether to be looked at again. */
  tidy(now: number): boolean {
    this.#tidiedAt = now;
    for (const limit of this.#limits.all) limit.tidy(this.#wanted(limit, now), now);
    const hasNews = this.#told || this.#limits.hasNews;
    if (hasNews) this.#schedule();
    return hasNews || this.#drawing || this.#limits.holdsAny;
  }

  /** The server has come or gone: those who wait are looked at again. */
  turned(): void {
    if (this.#host.reachable) {
      this.#schedule();
      return;
    }
    const now = this.#host.clock.now();
    for (const limit of this.#limits.all) limit.insure(this.#demand.mean(limit.unit), now);
    if (!this.#limits.isEmpty) this.#holder.widened();
  }

  /** The server had lost the key, and begun it anew without knowing what is held here. */
  reborn(birth: string): void {
    if (birth === this.#birth || !this.#limits.isMissed(this.#host.clock.now())) return;
    this.#rejoins = true;
    this.#schedule();
  }

  get state(): QuotaState {
    return {
      key: this.key,
      limits: this.#limits.all.map(({ unit, windowMs, limit, granted }) => ({
        unit,
        windowMs,
        limit,
        held: granted.total,
      })),
    };
  }

  #expectedDelay(amounts: QuotaAmounts, now: number): number {
    return Math.max(this.#blockedUntil - now, this.#limits.expectedDelay(amounts, this.#demand, now));
  }

  // What others have been told of a provider's limits, the server knows.
  get #asksForLimits(): boolean {
    return this.#limits.isEmpty && this.#birth === "" && this.key.startsWith(PROVIDERS);
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
    if (this.#isDue(now)) this.#drawn = this.#draw(now);
  }

  #isDue(now: number): boolean {
    if (this.#told || this.#rejoins || this.#asksForLimits) return true;
    if (now >= this.#drawnAt + NEWS_EVERY_MS && this.#limits.hasNews) return true;
    if (now < this.#askAgainAt) {
      this.#lookAt(this.#askAgainAt, now);
      return false;
    }
    let due = false;
    for (const limit of this.#limits.all) {
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
    const [limits, told] = [this.#limits.all, this.#told];
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
      const failedAt = this.#host.clock.now();
      // Otherwise it is asked again as soon as the server is found.
      if (this.#host.reachable) this.#lookAt(failedAt + TRY_AGAIN_MS, failedAt);
    }
  }

  #request(askOf: (limit: LimitShare) => number, now: number): DrawRequest {
    const { lostAt } = this.#host;
    return {
      birth: this.#birth,
      limits: this.#limits.text,
      told: this.#told,
      units: Object.fromEntries(
        this.#limits.all.map((limit) => [limit.name, limit.statement(askOf(limit), lostAt, now)]),
      ),
    };
  }

  #receive({ birth, limits, waitMs, grants }: DrawReply): void {
    const now = this.#host.clock.now();
    this.#birth = birth;
    if (limits !== "" && !this.#told) {
      const told = limitsOf(limits);
      if (this.#limits.become(told)) this.#host.limitsTold(this.key, told);
    }
    for (const limit of this.#limits.all) {
      const granted = grants[limit.name];
      if (granted !== undefined && now > this.#drawnAt + KEPT_MS) limit.refuse(granted);
      else if (granted !== undefined) limit.receive(granted, now);
      if (this.#closed) limit.giveAllBack();
    }
    this.#blockedUntil = now + waitMs;
    this.#askAgainAt = now + Math.min(waitMs, ASK_AGAIN_MS);
    if (!this.#closed) this.#holder.widened();
  }

  #expire(now: number): void {
    this.#tidiedAt = now;
    this.#limits.expire(now);
  }

  #lookAt(at: number, now: number): void {
    if (at >= this.#timerAt || this.#closed) return;
    this.#timer?.cancel();
    this.#timerAt = at;
    this.#timer = this.#host.clock.background(at - now, () => {
      this.#timerAt = Number.POSITIVE_INFINITY;
      this.#look();
    });
  }
}
