import {
  type Account,
  aborted,
  type Call,
  type Clock,
  ClosedError,
  type Fault,
  faultOf,
  type Lease,
  type Runtime,
  refusal,
  type Settlement,
  ThrottleError,
  type Timer,
  type Waiter,
  WaitQueue,
} from "../../core/index.ts";
import { AdaptiveLimit, type ChangeReason } from "./adaptive-limit.ts";
import type { ThrottleSettings } from "./settings.ts";
import { lastEnded, sampleOf } from "./signal.ts";

/** One call under way to the target. */
export interface Permit {
  readonly lease: Lease;
  readonly call: Call;
  readonly takenAt: number;
  /** Tries of the call before this one: later records are its own. */
  readonly attemptsBefore: number;
}

interface Waiting {
  readonly call: Call;
  readonly since: number;
  readonly resolve: (answer: Permit | Fault) => void;
  timer: Timer | undefined;
  off: (() => void) | undefined;
}

/** The limit of one target, who holds a permit under it, and who waits for one. */
export class Permits {
  readonly key: string;
  settings: ThrottleSettings;
  readonly #clock: Clock;
  readonly #events: Runtime["events"];
  readonly #account: Account;
  readonly #limit: AdaptiveLimit;
  readonly #held = new Set<Permit>();
  readonly #queue = new WaitQueue<Waiting>();

  constructor(key: string, settings: ThrottleSettings, runtime: Runtime) {
    this.key = key;
    this.settings = settings;
    this.#clock = runtime.clock;
    this.#events = runtime.events;
    this.#account = runtime.ledger.account("permits");
    this.#limit = new AdaptiveLimit(settings);
  }

  get isIdle(): boolean {
    return this.#held.size === 0 && this.#queue.size === 0;
  }

  get snapshot(): { readonly limit: number; readonly inFlight: number; readonly waiting: number } {
    return { limit: this.#limit.value, inFlight: this.#held.size, waiting: this.#queue.size };
  }

  /** A permit, if one is free and nobody waits for it. */
  take(call: Call): Permit | undefined {
    return this.#held.size < this.#limit.value && this.#queue.size === 0 ? this.#open(call) : undefined;
  }

  /** A permit as soon as it is this call's turn, or the fault that it ends in. */
  wait(call: Call): Promise<Permit | Fault> {
    const now = this.#clock.now();
    if (call.admitBy <= now || this.#queue.size >= this.settings.maxQueue) return Promise.resolve(this.#refusal(call));
    return new Promise((resolve) => {
      const waiting: Waiting = { call, since: now, resolve, timer: undefined, off: undefined };
      const place = this.#queue.add(waiting, call.scope.priority);
      if (call.admitBy !== Number.POSITIVE_INFINITY) {
        waiting.timer = this.#clock.timer(call.admitBy - now, () => this.#withdraw(place, this.#refusal(call)));
      }
      waiting.off = call.cancellation.onCancel((reason) => this.#withdraw(place, aborted(reason)));
    });
  }

  /** Gives a permit back when its call has ended, and learns from how it ended. */
  ended(permit: Permit, { fault, usage }: Pick<Settlement, "fault" | "usage">): void {
    if (this.settings.adaptive) this.#learn(permit, fault, usage);
    this.#held.delete(permit);
    permit.lease.settle();
    this.drain();
  }

  drain(): void {
    while (this.#held.size < this.#limit.value) {
      const waiting = this.#queue.take();
      if (waiting === undefined) return;
      waiting.resolve(this.#open(waiting.call));
      this.#left(waiting);
    }
  }

  configure(settings: ThrottleSettings): void {
    const restart = !settings.adaptive || settings.initial !== this.settings.initial;
    this.settings = settings;
    this.#limit.bounds = settings;
    this.#limit.set(restart ? settings.initial : this.#limit.value);
    this.drain();
  }

  close(): void {
    for (let last = this.#queue.last(); last !== undefined; last = this.#queue.last()) {
      this.#withdraw(last, faultOf({ kind: "refused", error: new ClosedError() }));
    }
  }

  #learn(permit: Permit, fault: Fault | undefined, usage: Settlement["usage"]): void {
    const { call, attemptsBefore } = permit;
    const now = this.#clock.now();
    const before = this.#limit.value;
    if (fault === undefined) {
      const record = lastEnded(call, attemptsBefore);
      if (record === undefined || record.fault !== undefined) return;
      const durationMs = (record.endedAt ?? now) - record.sentAt;
      const sample = sampleOf(call, record, usage);
      this.#announce(
        this.#limit.answered(now, durationMs, sample, () => this.#atWire()),
        before,
      );
    } else if (fault.kind === "overloaded" || fault.kind === "timeout") {
      const sentAt = lastEnded(call, attemptsBefore)?.sentAt ?? permit.takenAt;
      const served = fault.kind === "overloaded" ? this.#atWire() - 1 : undefined;
      if (this.#limit.overloaded(now, sentAt, served)) this.#announce("overloaded", before);
    }
  }

  // A call that a rate limit further in holds back has a permit and is no load.
  #atWire(): number {
    let count = 0;
    for (const { call, attemptsBefore } of this.#held) if (call.trace.attemptCount > attemptsBefore) count++;
    return count;
  }

  #open(call: Call): Permit {
    const attemptsBefore = call.trace.attemptCount;
    const permit = { lease: this.#account.reserve(1), call, takenAt: this.#clock.now(), attemptsBefore };
    this.#held.add(permit);
    return permit;
  }

  #withdraw(place: Waiter<Waiting>, fault: Fault): void {
    if (!this.#queue.remove(place)) return;
    place.item.resolve(fault);
    this.#left(place.item);
  }

  #left({ call, since, timer, off }: Waiting): void {
    timer?.cancel();
    off?.();
    const now = this.#clock.now();
    call.trace.waited(now, "throttle", "throttle", now - since);
    if (this.#events.wants("throttle.waited")) {
      this.#events.emit("throttle.waited", call, { key: this.key, waitMs: now - since });
    }
  }

  #refusal(call: Call): Fault {
    const limit = this.#limit.value;
    const { meanDurationMs } = this.#limit;
    const ahead = this.#queue.aheadOf(call.scope.priority) + 1;
    const retryAfterMs = meanDurationMs === undefined ? undefined : Math.ceil((ahead * meanDurationMs) / limit);
    if (this.#events.wants("throttle.rejected")) {
      this.#events.emit("throttle.rejected", call, { key: this.key, limit, retryAfterMs });
    }
    const message = `The throttle of ${this.key} lets ${limit} calls run at once, and none ended in time for this one.`;
    return refusal(new ThrottleError(message, { policy: "throttle", retryAfterMs }));
  }

  #announce(reason: ChangeReason | undefined, from: number): void {
    if (reason === undefined || !this.#events.wants("throttle.changed")) return;
    this.#events.emit("throttle.changed", undefined, { key: this.key, from, limit: this.#limit.value, reason });
  }
}
