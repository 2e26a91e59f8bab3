import type { Random } from "../../core/index.ts";

export type HealthState = "up" | "down" | "returning";

/** When to ask a target again that was given up. */
export interface ReturnSettings {
  readonly probeEveryMs: number;
  readonly returnOverMs: number;
}

/** Who wants to know of changes. `cause` is what was handed in. */
export interface HealthObserver<Cause, Reason> {
  left(cause: Cause, reason: Reason): void;
  returned(cause: Cause, awayMs: number): void;
}

/** What one that is let through carries: results of an earlier state say nothing of the present one. */
export interface Pass {
  readonly generation: number;
  /** Cleared when it is over. */
  probes: boolean;
}

const MEMORY = 0.85;
/** Six failures in a row, or most of the latest. */
const DOWN_AT = 0.6;
const SHARE_FROM = 0.1;
/** Probes under way at once: one that hangs must not keep others from finding out. */
const PROBES_MAX = 3;
const LONGEST_WAIT_MS = 30_000;
/** A relapse within so long after a return makes the next absence longer. */
const STEADY_MS = 60_000;

/**
 * Whether a target can be relied on: up, down (asked only by a probe now and then), or returning (its share of the calls
 * grows from 10 % to all). It has no timers: whatever time has brought about is worked out when it is next asked.
 */
export class Health<Cause, Reason> {
  readonly #observer: HealthObserver<Cause, Reason>;
  #state: HealthState = "up";
  #generation = 0;
  #failing = 0;
  #downSince = 0;
  #probeAt = 0;
  #probes = 0;
  #waitMs = 0;
  #returningSince = 0;
  #returnedAt = Number.NEGATIVE_INFINITY;
  #pausedUntil = 0;

  constructor(observer: HealthObserver<Cause, Reason>) {
    this.#observer = observer;
  }

  get state(): HealthState {
    return this.#state;
  }

  /** When it can be asked again, as far as is known; in the past: it can be. */
  get readyAt(): number {
    return this.#state === "down" ? Math.max(this.#probeAt, this.#pausedUntil) : this.#pausedUntil;
  }

  /** Its share of the calls it would have if it were up: 0 to 1. */
  share(now: number, { returnOverMs }: ReturnSettings): number {
    if (this.#state === "up") return 1;
    if (this.#state === "down") return 0;
    const gone = returnOverMs === 0 ? 1 : (now - this.#returningSince) / returnOverMs;
    return Math.min(1, SHARE_FROM + (1 - SHARE_FROM) * gone);
  }

  /** Whether it may be asked now. `idle`: nothing is under way there, so that one more is no crowd. */
  isOpen(now: number, idle: boolean, settings: ReturnSettings, random: Random): boolean {
    if (now < this.#pausedUntil) return false;
    if (this.#state === "down") return now >= this.#probeAt && this.#probes < PROBES_MAX;
    const share = this.share(now, settings);
    return share >= 1 || idle || random() < share;
  }

  /** Lets one through. */
  pass(now: number): Pass {
    const probes = this.#state === "down";
    if (probes) {
      this.#probeAt = Math.max(this.#probeAt, now + this.#waitMs);
      this.#probes++;
    }
    return { generation: this.#generation, probes };
  }

  /** It is over, well or not. Only the first counts. */
  end(pass: Pass): void {
    if (pass.probes) this.#probes--;
    pass.probes = false;
  }

  succeed(pass: Pass, now: number, cause: Cause, settings: ReturnSettings): void {
    if (pass.generation !== this.#generation) return;
    this.#failing *= MEMORY;
    if (this.#state === "down") {
      this.#enter("returning");
      this.#returningSince = now;
    }
    if (this.#state === "returning" && this.share(now, settings) >= 1) {
      this.#enter("up");
      this.#failing = 0;
      this.#returnedAt = now;
      this.#observer.returned(cause, now - this.#downSince);
    }
  }

  /** `awayMs`: nothing else can be expected for so long. */
  fail(pass: Pass, now: number, cause: Cause, reason: Reason, settings: ReturnSettings, awayMs?: number): void {
    if (pass.generation !== this.#generation) return;
    this.#failing = this.#failing * MEMORY + (1 - MEMORY);
    if (this.#state === "up" && this.#failing < DOWN_AT && awayMs === undefined) return;
    if (this.#state === "up") {
      const steady = now - this.#returnedAt > STEADY_MS;
      this.#waitMs = steady ? settings.probeEveryMs : this.#longer(settings);
      this.#downSince = now;
    } else if (this.#state === "returning") {
      this.#waitMs = this.#longer(settings);
    }
    const left = this.#state === "up";
    if (this.#state !== "down") this.#enter("down");
    this.#probeAt = Math.max(this.#probeAt, now + (awayMs ?? this.#waitMs));
    if (left) this.#observer.left(cause, reason);
  }

  /** The provider said "not before". */
  pause(untilMs: number): void {
    this.#pausedUntil = Math.max(this.#pausedUntil, untilMs);
  }

  /** True when nothing is lost by forgetting it. */
  isIdle(now: number): boolean {
    return this.#state === "up" && now >= this.#pausedUntil && now - this.#returnedAt > STEADY_MS;
  }

  #longer({ probeEveryMs }: ReturnSettings): number {
    return Math.max(probeEveryMs, Math.min(LONGEST_WAIT_MS, this.#waitMs * 2));
  }

  #enter(state: HealthState): void {
    this.#state = state;
    this.#generation++;
  }
}
