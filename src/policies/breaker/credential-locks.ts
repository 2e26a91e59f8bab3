import type { Call, Fault } from "../../core/index.ts";
import { Circuit, type CircuitObserver, type OpenReason, type Ticket } from "./circuit.ts";
import type { BreakerSettings } from "./settings.ts";

const LOCKS_MAX = 1_000;
const LOCK_MS_DEFAULT = 60_000;
const LOCK_MS_MAX = 600_000;

export interface Lock {
  readonly key: string;
  readonly circuit: Circuit<Call | undefined>;
}

/** True for faults that every model of the credential will meet. */
export function locksCredential(fault: Fault): boolean {
  return fault.kind === "quota_exhausted" || fault.kind === "bad_credential";
}

/** Credentials that the provider turned away. Only those are kept, so that other calls pay nothing. */
export class CredentialLocks {
  readonly #locks = new Map<string, Lock>();
  readonly #observerOf: (key: string) => CircuitObserver<Call | undefined>;
  #settings: BreakerSettings;

  constructor(settings: BreakerSettings, observerOf: (key: string) => CircuitObserver<Call | undefined>) {
    this.#settings = withoutRamp(settings);
    this.#observerOf = observerOf;
  }

  /** The lock on the call's credential, if there is one. */
  find(call: Call): Lock | undefined {
    return this.#locks.size === 0 ? undefined : this.#locks.get(keyOf(call));
  }

  /** A call has ended that the lock let through, or that met a fault of its credential. */
  ended(call: Call, lock: Lock | undefined, ticket: Ticket | undefined, fault: Fault | undefined, now: number): void {
    if (lock !== undefined && ticket !== undefined) {
      if (fault === undefined) lock.circuit.succeed(ticket, now, call);
      else lock.circuit.ignore(ticket, now, call);
      if (lock.circuit.state === "closed") this.#locks.delete(lock.key);
    }
    if (fault !== undefined && locksCredential(fault)) this.#lock(call, fault, now);
  }

  configure(settings: BreakerSettings): void {
    this.#settings = withoutRamp(settings);
    for (const { circuit } of this.#locks.values()) circuit.configure(this.#settings);
  }

  *[Symbol.iterator](): Generator<readonly [key: string, circuit: Circuit<Call | undefined>]> {
    for (const { key, circuit } of this.#locks.values()) yield [key, circuit];
  }

  /** Locks a credential by its key, or takes the lock away. */
  adopt(key: string, openForMs: number | undefined, now: number): void {
    if (openForMs === undefined) this.#locks.delete(key);
    else this.#trip(key, openForMs, "told", now, undefined);
  }

  #lock(call: Call, fault: Fault, now: number): void {
    const key = keyOf(call);
    // Of many calls in flight that are all turned away, the first has said it.
    if (this.#locks.get(key)?.circuit.state === "open") return;
    this.#trip(key, fault.retryAfterMs ?? LOCK_MS_DEFAULT, fault.kind, now, call);
  }

  #trip(key: string, forMs: number, reason: OpenReason, now: number, call: Call | undefined): void {
    const lock = this.#locks.get(key) ?? { key, circuit: new Circuit(this.#settings, this.#observerOf(key)) };
    if (!this.#locks.has(key)) this.#makeRoom();
    this.#locks.set(key, lock);
    lock.circuit.trip(now, Math.max(1, Math.min(forMs, LOCK_MS_MAX)), reason, call);
  }

  // A forgotten lock costs one more call that is turned away.
  #makeRoom(): void {
    if (this.#locks.size < LOCKS_MAX) return;
    for (const key of this.#locks.keys()) {
      this.#locks.delete(key);
      return;
    }
  }
}

const EVERY_MODEL = "/*/";

function keyOf({ provider, credential }: Call): string {
  return `${provider}${EVERY_MODEL}${credential}`;
}

/** True for the key of a lock on all models of a credential. */
export function isLockKey(key: string): boolean {
  return key.includes(EVERY_MODEL);
}

function withoutRamp(settings: BreakerSettings): BreakerSettings {
  return { ...settings, rampMs: 0 };
}
