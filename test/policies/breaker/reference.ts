import type { BreakerSettings } from "../../../src/policies/breaker/settings.ts";

interface RefCall {
  readonly epoch: number;
  readonly probeDeadline: number | undefined;
  answered: boolean;
  held: boolean;
}

/**
 * The breaker as its description says, written as plainly as possible: every outcome is kept with its time and
 * everything is counted anew at each question. Slow, unbounded, and without any of the circuit's own code.
 */
export class ReferenceBreaker {
  readonly log: string[] = [];
  #settings: BreakerSettings;
  #state: "closed" | "open" | "half_open" = "closed";
  #epoch = 0;
  #outcomes: { at: number; failed: boolean; slow: boolean }[] = [];
  #calls: RefCall[] = [];
  #openUntil = 0;
  #openings = 0;
  #probeSuccesses = 0;
  #rampFrom = Number.NEGATIVE_INFINITY;
  #credit = 0;
  #leftClosedAt = 0;
  #rampMs = 0;

  constructor(settings: BreakerSettings) {
    this.#settings = settings;
  }

  get state(): string {
    return this.#state;
  }

  start(now: number): RefCall | undefined {
    this.#timePasses(now);
    const { probes, probeTimeoutMs } = this.#settings;
    const rampMs = this.#rampMs;
    if (this.#state === "open") return undefined;
    const here = this.#calls.filter((call) => call.held && call.epoch === this.#epoch);
    if (this.#state === "half_open") {
      if (here.length + this.#probeSuccesses >= probes) return undefined;
      return this.#admit(now + probeTimeoutMs);
    }
    const sinceClosed = now - this.#rampFrom;
    if (sinceClosed < rampMs && here.length >= probes) {
      this.#credit += 0.1 + 0.9 * (sinceClosed / rampMs);
      if (this.#credit < 1) return undefined;
      this.#credit -= 1;
    }
    return this.#admit(undefined);
  }

  end(call: RefCall, result: "success" | "failure" | "neither", slow: boolean, now: number): void {
    this.#timePasses(now);
    call.held = false;
    if (call.epoch !== this.#epoch || result === "neither") return;
    if (this.#state === "half_open") {
      if (result === "failure" || slow) this.#open(now);
      else if (++this.#probeSuccesses >= this.#settings.probes) this.#close(now);
      return;
    }
    this.#outcomes.push({ at: now, failed: result === "failure", slow });
    const bucketMs = this.#settings.windowMs / 10;
    const bucket = (at: number): number => Math.floor(at / bucketMs);
    const recent = this.#outcomes.filter(({ at }) => bucket(at) > bucket(now) - 10);
    const failures = recent.filter(({ failed }) => failed).length;
    const lastSuccess = this.#outcomes.findLastIndex(({ failed }) => !failed);
    const inRow = this.#outcomes.length - 1 - lastSuccess;
    const slowOnes = recent.filter((outcome) => outcome.slow).length;
    const { minimumCalls, failureRate, slowCallRate, consecutiveFailures } = this.#settings;
    const enough = recent.length >= minimumCalls;
    const tooMany = enough && (failures / recent.length >= failureRate || slowOnes / recent.length >= slowCallRate);
    if (tooMany || inRow >= consecutiveFailures) this.#open(now);
  }

  /** Another process tells that it has opened. */
  toldOpen(now: number, forMs: number): void {
    this.#timePasses(now);
    if (this.#state === "open") this.#openUntil = Math.max(this.#openUntil, now + forMs);
    else this.#open(now, forMs);
  }

  /** Another process tells that it has closed. */
  toldClosed(now: number): void {
    this.#timePasses(now);
    if (this.#state !== "closed") this.#close(now);
  }

  #admit(probeDeadline: number | undefined): RefCall {
    const call = { epoch: this.#epoch, probeDeadline, answered: false, held: true };
    this.#calls.push(call);
    return call;
  }

  // All that happens by itself until `now`, in the order in which it happens.
  #timePasses(now: number): void {
    for (let changed = true; changed; ) {
      changed = false;
      if (this.#state === "open" && now >= this.#openUntil) {
        this.#state = "half_open";
        this.#epoch++;
        this.#probeSuccesses = 0;
        this.log.push("half_opened");
      }
      if (this.#state !== "half_open") continue;
      for (const call of this.#calls) {
        if (!call.held || call.epoch !== this.#epoch || (call.probeDeadline ?? Number.POSITIVE_INFINITY) > now)
          continue;
        call.held = false;
        if (call.answered) continue;
        this.#open(call.probeDeadline ?? now);
        changed = true;
        break;
      }
    }
  }

  #open(now: number, forMs?: number): void {
    if (this.#state === "closed") {
      this.#leftClosedAt = now;
      if (now - this.#rampFrom >= this.#rampMs) this.#openings = 0;
    }
    const { maxOpenMs, halfOpenAfterMs } = this.#settings;
    const openForMs = forMs ?? Math.min(maxOpenMs, halfOpenAfterMs * 2 ** this.#openings);
    this.#openings++;
    this.#openUntil = now + openForMs;
    this.#state = "open";
    this.#epoch++;
    this.#outcomes = [];
    this.log.push(`opened for ${openForMs}`);
  }

  #close(now: number): void {
    this.#state = "closed";
    this.#epoch++;
    this.#outcomes = [];
    this.#rampFrom = now;
    this.#rampMs = Math.min(this.#settings.rampMs, now - this.#leftClosedAt);
    this.#credit = 0;
    this.log.push("closed");
  }
}

export type { RefCall };
