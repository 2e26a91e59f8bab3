import type { FaultKind } from "../../core/index.ts";
import { Ramp } from "./ramp.ts";
import type { BreakerSettings } from "./settings.ts";
import { OutcomeWindow, type WindowRates } from "./window.ts";

export type CircuitState = "closed" | "open" | "half_open";

/** What a circuit lets through: shown again when the call ends. */
export interface Ticket {
  /** Results of an earlier state of the circuit say nothing about the present one. */
  readonly generation: number;
  readonly probe: Probe | undefined;
}

interface Probe {
  /** A wait at a limit of ours is none of the provider's doing: without a request there is no deadline. */
  readonly deadline: number;
  /** The provider has begun to answer; from then on the deadline frees the place but is no failure. */
  answered: boolean;
}

/** Who wants to know of a circuit's changes. `cause` is what the caller handed in. */
export interface CircuitObserver<Cause> {
  opened(cause: Cause, details: OpenDetails): void;
  halfOpened(cause: Cause): void;
  closed(cause: Cause, openMs: number): void;
  /** Tells later when a call that is let through now was sent; `undefined` while it waits. Absent: it is sent at once. */
  sending?(cause: Cause): () => number | undefined;
}

export interface OpenDetails extends WindowRates {
  readonly reason: OpenReason;
  readonly openForMs: number;
}

/** `slow_calls`: too many were slow; `told`: from outside. */
export type OpenReason = FaultKind | "probe_failed" | "slow_calls" | "told";

/**
 * One circuit: closed, open or half open. It has no timers; whatever time has brought about is worked out when it is
 * next asked. Times are the clock's milliseconds.
 */
export class Circuit<Cause> {
  settings: BreakerSettings;
  readonly #observer: CircuitObserver<Cause>;
  #window: OutcomeWindow;
  #state: CircuitState = "closed";
  #ticket: Ticket = { generation: 0, probe: undefined };
  #outstanding = 0;
  /** Calls of the present generation that are under way. */
  #passing = 0;
  #failuresInRow = 0;
  #lastFailure: FaultKind = "server_error";
  /** When the circuit left the closed state, and how often it has opened since it last held. */
  #leftClosedAt = 0;
  #openings = 0;
  #openUntil = 0;
  #probes: Probe[] = [];
  #probeSuccesses = 0;
  readonly #ramp = new Ramp();

  constructor(settings: BreakerSettings, observer: CircuitObserver<Cause>) {
    this.settings = settings;
    this.#observer = observer;
    this.#window = new OutcomeWindow(settings.windowMs);
  }

  get state(): CircuitState {
    return this.#state;
  }

  /** Lets a call through, or not: then `retryAfterMs` says when to come again. */
  admit(now: number, cause: Cause): Ticket | undefined {
    this.#advance(now, cause);
    if (this.#state === "open") return undefined;
    if (this.#state === "half_open") return this.#admitProbe(now, cause);
    // As many as are harmless always pass, so that little traffic is not refused for the sake of a herd that is not there.
    const crowded = this.#passing >= this.settings.probes;
    if (crowded && !this.#ramp.isOver(now) && !this.#ramp.admits(now)) return undefined;
    this.#outstanding++;
    this.#passing++;
    return this.#ticket;
  }

  /** How long a refused call should wait, as far as it is known. */
  retryAfterMs(now: number): number {
    if (this.#state === "open") return Math.max(1, Math.ceil(this.#openUntil - now));
    if (this.#state === "closed") return Math.max(1, Math.ceil(this.#ramp.retryAfterMs(now)));
    const firstDeadline = Math.min(...this.#probes.map((probe) => probe.deadline));
    return Math.max(1, Math.ceil(Math.min(firstDeadline - now, this.settings.halfOpenAfterMs)));
  }

  /** The provider has begun to answer the call. */
  answered(ticket: Ticket): void {
    if (ticket.probe !== undefined) ticket.probe.answered = true;
  }

  /** `slow`: the answer was good, and too long in coming. */
  succeed(ticket: Ticket, now: number, cause: Cause, slow = false): void {
    if (!this.#returned(ticket, now, cause)) return;
    if (this.#state === "half_open") {
      if (slow) {
        this.#open(now, "probe_failed", cause);
        return;
      }
      this.#probeSuccesses++;
      if (this.#probeSuccesses >= this.settings.probes) this.#close(now, cause);
      return;
    }
    this.#failuresInRow = 0;
    this.#window.add(now, false, slow);
    this.#judge(now, cause);
  }

  fail(ticket: Ticket, kind: FaultKind, now: number, cause: Cause, slow = false): void {
    if (!this.#returned(ticket, now, cause)) return;
    if (this.#state === "half_open") {
      this.#open(now, "probe_failed", cause);
      return;
    }
    this.#failuresInRow++;
    this.#window.add(now, true, slow);
    this.#lastFailure = kind;
    this.#judge(now, cause);
  }

  /** The call's end says nothing about the provider. */
  ignore(ticket: Ticket, now: number, cause: Cause): void {
    this.#returned(ticket, now, cause);
  }

  /** Opens the circuit for a known time. One that is open already stays so for the longer of the two. */
  trip(now: number, forMs: number, reason: OpenReason, cause: Cause): void {
    this.#advance(now, cause);
    if (this.#state === "open") this.#openUntil = Math.max(this.#openUntil, now + forMs);
    else this.#open(now, reason, cause, forMs);
  }

  /** Closes the circuit as if its probes had succeeded: others have tried. */
  restore(now: number, cause: Cause): void {
    this.#advance(now, cause);
    if (this.#state !== "closed") this.#close(now, cause);
  }

  /** Closes the circuit at once and forgets what it has seen. */
  reset(now: number, cause: Cause): void {
    if (this.#state !== "closed") this.#close(now, cause);
    this.#enter("closed");
    this.#ramp.stop();
    this.#openings = 0;
    this.#clear();
  }

  configure(settings: BreakerSettings): void {
    if (settings.windowMs !== this.settings.windowMs) this.#window = new OutcomeWindow(settings.windowMs);
    this.settings = settings;
  }

  /**
   * True when nothing is lost by forgetting the circuit: closed and without calls, or nobody has asked for it for a
   * whole window after it could have been tried again.
   */
  isIdle(now: number): boolean {
    if (this.#outstanding > 0 || this.#state === "half_open") return false;
    if (this.#state === "open") return now >= this.#openUntil + this.settings.windowMs;
    return this.#ramp.isOver(now);
  }

  /** As it is now; reading changes nothing. */
  snapshot(now: number): CircuitSnapshot {
    return {
      state: this.#state,
      ...this.#window.read(now),
      outstanding: this.#outstanding,
      retryAfterMs: this.#state === "open" ? Math.max(0, Math.ceil(this.#openUntil - now)) : undefined,
      ramping: this.#state === "closed" && !this.#ramp.isOver(now),
    };
  }

  // What the passing of time alone has brought about.
  #advance(now: number, cause: Cause): void {
    for (;;) {
      if (this.#state === "open" && now >= this.#openUntil) {
        this.#enter("half_open");
        this.#observer.halfOpened(cause);
      }
      if (this.#state !== "half_open") return;
      const hung = this.#dropExpired(now);
      if (hung === undefined) return;
      // It failed when its time ran out, not when somebody noticed.
      this.#open(hung.deadline, "probe_failed", cause);
    }
  }

  #dropExpired(now: number): Probe | undefined {
    if (this.#probes.every((probe) => now < probe.deadline)) return undefined;
    const hung = this.#probes.find((probe) => now >= probe.deadline && !probe.answered);
    this.#probes = this.#probes.filter((probe) => now < probe.deadline);
    return hung;
  }

  #admitProbe(now: number, cause: Cause): Ticket | undefined {
    // Never none: after `configure` has asked for fewer, a circuit with enough successes needs one more to close.
    const places = Math.max(1, this.settings.probes - this.#probeSuccesses);
    if (this.#probes.length >= places) return undefined;
    const { probeTimeoutMs } = this.settings;
    const sentAt = this.#observer.sending?.(cause) ?? (() => now);
    const probe: Probe = {
      get deadline() {
        return (sentAt() ?? Number.POSITIVE_INFINITY) + probeTimeoutMs;
      },
      answered: false,
    };
    this.#probes.push(probe);
    this.#outstanding++;
    this.#passing++;
    return { generation: this.#ticket.generation, probe };
  }

  /** Takes a ticket back; `false` when what it says is out of date. */
  #returned(ticket: Ticket, now: number, cause: Cause): boolean {
    this.#outstanding--;
    this.#advance(now, cause);
    if (ticket.generation !== this.#ticket.generation) return false;
    this.#passing--;
    if (ticket.probe !== undefined) this.#probes = this.#probes.filter((probe) => probe !== ticket.probe);
    return true;
  }

  #judge(now: number, cause: Cause): void {
    const { minimumCalls, failureRate, slowCallRate, consecutiveFailures } = this.settings;
    const read = this.#window.read(now);
    const enough = read.samples >= minimumCalls;
    if ((enough && read.failureRate >= failureRate) || this.#failuresInRow >= consecutiveFailures) {
      this.#open(now, this.#lastFailure, cause);
    } else if (enough && read.slowCallRate >= slowCallRate) {
      this.#open(now, "slow_calls", cause);
    }
  }

  #open(now: number, reason: OpenReason, cause: Cause, forMs?: number): void {
    if (this.#state === "closed") {
      this.#leftClosedAt = now;
      if (this.#ramp.isOver(now)) this.#openings = 0;
    }
    const { halfOpenAfterMs, maxOpenMs } = this.settings;
    const openForMs = forMs ?? Math.min(maxOpenMs, halfOpenAfterMs * 2 ** Math.min(this.#openings, 30));
    const details = { reason, ...this.#window.read(now), openForMs };
    this.#openings++;
    this.#openUntil = now + openForMs;
    this.#enter("open");
    this.#clear();
    this.#observer.opened(cause, details);
  }

  #close(now: number, cause: Cause): void {
    this.#enter("closed");
    this.#clear();
    const openMs = now - this.#leftClosedAt;
    // After a short outage no herd has gathered, and refusing calls for longer than it took would prolong it.
    this.#ramp.start(now, Math.min(this.settings.rampMs, openMs));
    this.#observer.closed(cause, openMs);
  }

  #enter(state: CircuitState): void {
    this.#state = state;
    this.#ticket = { generation: this.#ticket.generation + 1, probe: undefined };
    this.#passing = 0;
    this.#probes = [];
    this.#probeSuccesses = 0;
  }

  #clear(): void {
    this.#window.clear();
    this.#failuresInRow = 0;
  }
}

/** Rates are those of the calls in the window. */
export interface CircuitSnapshot extends WindowRates {
  readonly state: CircuitState;
  /** Calls under way. */
  readonly outstanding: number;
  /** Until the next call may try, in milliseconds; only while open. */
  readonly retryAfterMs: number | undefined;
  /** Lately closed and not yet letting everybody through. */
  readonly ramping: boolean;
}
