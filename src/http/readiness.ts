import { type Clock, errorName, type Timer } from "../core/index.ts";
import type { Optimizer } from "../optimizer.ts";
import type { ReadinessCheck } from "./options.ts";

export type CheckStatus = "ok" | "degraded" | "down";

/** What a look at readiness found: `down` only for what the application itself needs. */
export interface Readiness {
  readonly status: CheckStatus;
  readonly checks: readonly { readonly name: string; readonly status: CheckStatus; readonly reason?: string }[];
  /** Milliseconds since the Unix epoch. */
  readonly checkedAt: number;
}

const LOOK_EVERY_MS = 1_000;
const CHECK_EVERY_MS = 10_000;
const CHECK_LIMIT_MS = 5_000;
/** A loop that stood still for so long had kept callers waiting. */
const BLOCKED_MS = 1_000;
const BLOCKED_SHOWN_MS = 30_000;

type Check = Readiness["checks"][number];

/**
 * Looks in the background, so that a request for readiness costs nothing and waits for nothing. A provider that is down
 * degrades and does not make unready: starting the process anew would not help.
 */
export class ReadinessWatch {
  #optimizer: Optimizer;
  #clock: Clock;
  #checks: ReadonlyMap<string, ReadinessCheck>;
  #own = new Map<string, Check>();
  #current: Readiness;
  #timer: Timer | undefined;
  #lookedAt: number;
  #checkedAt = Number.NEGATIVE_INFINITY;
  #blocked = { ms: 0, at: Number.NEGATIVE_INFINITY };
  #running = new AbortController();
  #closing = false;

  constructor(optimizer: Optimizer, checks: ReadonlyMap<string, ReadinessCheck>) {
    this.#optimizer = optimizer;
    this.#clock = optimizer.line.runtime.clock;
    this.#checks = checks;
    this.#lookedAt = this.#clock.now();
    this.#current = this.#judge();
    this.#look();
  }

  get current(): Readiness {
    return this.#current;
  }

  /** Not ready from now on: whoever sends requests here should stop, while open ones end. */
  drain(): void {
    this.#closing = true;
    this.#current = this.#judge();
  }

  close(): void {
    this.drain();
    this.#timer?.cancel();
    this.#running.abort();
  }

  #look(): void {
    const now = this.#clock.now();
    const lateMs = now - this.#lookedAt - LOOK_EVERY_MS;
    if (lateMs >= BLOCKED_MS) this.#blocked = { ms: lateMs, at: now };
    this.#lookedAt = now;
    if (this.#checks.size > 0 && now - this.#checkedAt >= CHECK_EVERY_MS) {
      this.#checkedAt = now;
      for (const [name, check] of this.#checks) void this.#run(name, check);
    }
    this.#current = this.#judge();
    this.#timer = this.#clock.background(LOOK_EVERY_MS, () => this.#look());
  }

  async #run(name: string, check: ReadinessCheck): Promise<void> {
    const limit = new AbortController();
    const signal = AbortSignal.any([limit.signal, this.#running.signal]);
    const timer = this.#clock.background(CHECK_LIMIT_MS, () => limit.abort(new Error("too slow")));
    const tooSlow = new Promise<never>((_, reject) => {
      signal.addEventListener("abort", () => reject(signal.reason), { once: true });
    });
    try {
      const result = await Promise.race([(async () => check({ signal }))(), tooSlow]);
      this.#own.set(
        name,
        result === false ? { name, status: "down", reason: "the check failed" } : { name, status: "ok" },
      );
    } catch (error) {
      // Not the message: it may repeat an address or a key.
      const reason = limit.signal.aborted ? `no answer within ${CHECK_LIMIT_MS / 1000} s` : errorName(error);
      this.#own.set(name, { name, status: "down", reason });
    } finally {
      timer.cancel();
    }
  }

  #judge(): Readiness {
    const checks: Check[] = [this.#provider(), this.#loop(), ...this.#own.values()];
    if (this.#closing) checks.push({ name: "closing", status: "down", reason: "the server is closing" });
    const worst = (status: CheckStatus): boolean => checks.some((check) => check.status === status);
    return {
      status: worst("down") ? "down" : worst("degraded") ? "degraded" : "ok",
      checks,
      checkedAt: this.#clock.wall(),
    };
  }

  #provider(): Check {
    const { status, reasons } = this.#optimizer.health();
    if (status === "ok") return { name: "calls", status };
    return { name: "calls", status: "degraded", reason: reasons.map(({ detail }) => detail).join("; ") };
  }

  #loop(): Check {
    const { ms, at } = this.#blocked;
    if (this.#clock.now() - at > BLOCKED_SHOWN_MS) return { name: "event loop", status: "ok" };
    return { name: "event loop", status: "degraded", reason: `it stood still for ${(ms / 1000).toFixed(1)} s` };
  }
}
