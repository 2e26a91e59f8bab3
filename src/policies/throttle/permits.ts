import {
  type Account,
  aborted,
  blamesProvider,
  type Call,
  type Clock,
  ClosedError,
  expectedServiceCost,
  type Fault,
  type FaultKind,
  faultOf,
  type Lease,
  leaveWhenLong,
  type Outcome,
  type Runtime,
  refusal,
  type Settlement,
  serviceCost,
  ThrottleError,
  type Timer,
  type Waiter,
  WaitQueue,
  WITHOUT_SLOT,
} from "../../core/index.ts";
import { Acceptance, type Outlived } from "./acceptance.ts";
import { AdaptiveLimit, type ChangeReason, type Load } from "./adaptive-limit.ts";
import { PriorityShares } from "./priority-shares.ts";
import type { ThrottleSettings } from "./settings.ts";
import { firstTokenSample, sentAfter, tokenSample } from "./signal.ts";
import { type LastChange, messageOf, type RefusalReason, type TargetSnapshot } from "./snapshot.ts";

/** One call under way to the target. */
export interface Permit {
  readonly lease: Lease;
  readonly call: Call;
  readonly takenAt: number;
  /** Tries of the call before this one: later records are its own. */
  readonly attemptsBefore: number;
  /** Where it has waited, if it had to: its tenant was charged. */
  readonly place: Waiter<Waiting> | undefined;
  /** Whether its time to the first token has been taken. */
  firstTokenTaken: boolean;
}

interface Waiting {
  readonly call: Call;
  readonly since: number;
  readonly resolve: (answer: Permit | Fault) => void;
  place: Waiter<Waiting> | undefined;
  timer: Timer | undefined;
  leaving: Timer | undefined;
  off: (() => void) | undefined;
}

const HELD_SAMPLES_MIN = 20;
const HELD_WEIGHT = 0.05;
// An estimate may be off: only one that is clearly beyond the time that is left refuses a call.
const CERTAINTY = 1.5;
const SLICES = 20;

// The provider took these calls, and found fault with the request.
const ACCEPTED: ReadonlySet<FaultKind> = new Set<FaultKind>(["bad_request", "context_length", "content_filter"]);

/** The limit of one target, who holds a permit under it, and who waits for one. */
export class Permits {
  readonly key: string;
  #settings: ThrottleSettings;
  readonly #clock: Clock;
  readonly #runtime: Runtime;
  readonly #account: Account;
  readonly #limit: AdaptiveLimit;
  readonly #held = new Set<Permit>();
  readonly #queue = new WaitQueue<Waiting>();
  readonly #acceptance = new Acceptance();
  readonly #priorities = new PriorityShares();
  /** For how long a permit is held, and of how many that is the mean. */
  #heldMs = 0;
  #heldCount = 0;
  #lastChange: LastChange | undefined;

  constructor(key: string, settings: ThrottleSettings, runtime: Runtime) {
    this.key = key;
    this.#settings = settings;
    this.#clock = runtime.clock;
    this.#runtime = runtime;
    this.#account = runtime.ledger.account("permits");
    this.#limit = new AdaptiveLimit(settings);
  }

  get isIdle(): boolean {
    return this.#held.size === 0 && this.#queue.size === 0;
  }

  get snapshot(): Omit<TargetSnapshot, "shedding"> {
    return {
      limit: this.#limit.value,
      inFlight: this.#held.size,
      waiting: this.#queue.size,
      signals: { tokens: this.#limit.token.slowness, firstToken: this.#limit.firstToken.slowness },
      refusing: this.#refusedShare(),
      lastChange: this.#lastChange,
    };
  }

  /** A permit, if one is free and nobody waits for it. */
  take(call: Call): Permit | undefined {
    return this.#held.size < this.#limit.value && this.#queue.size === 0 ? this.#open(call) : undefined;
  }

  /** The fault of a call that the provider would most likely refuse. */
  refusalOf(call: Call): Fault | undefined {
    if (this.#settings.clientThrottling === false) return undefined;
    this.#priorities.came(call.scope.priority);
    return this.#isRefused(call) ? this.refuse(call, "provider_refuses") : undefined;
  }

  /** A permit as soon as it is this call's turn, or the fault that it ends in. */
  wait(call: Call): Promise<Permit | Fault> {
    const now = this.#clock.now();
    this.#regain(now);
    const permit = this.take(call);
    if (permit !== undefined) return Promise.resolve(permit);
    // One that comes back with a slot has had its place among those who wait.
    const cameAt = call.trace.seat?.since;
    if (cameAt === undefined && this.#comesTooLate(call, now)) return Promise.resolve(this.refuse(call, "deadline"));
    if (cameAt === undefined && !this.#makeRoom(call)) return Promise.resolve(this.refuse(call, "full"));
    return new Promise((resolve) => {
      const waiting: Waiting = {
        call,
        since: now,
        resolve,
        place: undefined,
        timer: undefined,
        leaving: undefined,
        off: undefined,
      };
      const { priority, client: tenant } = call.scope;
      const claim = { tenant, cost: expectedServiceCost(call), due: cameAt ?? now };
      const place = this.#queue.add(waiting, priority, claim);
      waiting.place = place;
      if (call.admitBy !== Number.POSITIVE_INFINITY) {
        waiting.timer = this.#clock.timer(call.admitBy - now, () =>
          this.#withdraw(place, this.refuse(call, "deadline")),
        );
      }
      waiting.off = call.cancellation.onCancel((reason) => this.#withdraw(place, aborted(reason)));
      waiting.leaving = leaveWhenLong(this.#runtime, call, 0);
    });
  }

  /** The provider took the call, or did not: known before its body is over. */
  judge(permit: Permit, outcome: Outcome): void {
    const { clientThrottling: rules } = this.#settings;
    if (rules === false) return;
    const now = this.#clock.now();
    if (outcome.ok || ACCEPTED.has(outcome.kind)) this.#acceptance.accepted(now, rules);
    else if (blamesProvider(outcome)) this.#acceptance.refused(now, now - sentAtOf(permit), rules);
  }

  /** Gives a permit back when its call has ended, and learns from how it ended. */
  ended(permit: Permit, { fault, usage }: Pick<Settlement, "fault" | "usage">): void {
    if (this.#settings.adaptive) this.#learn(permit, fault, usage);
    const heldMs = this.#clock.now() - permit.takenAt;
    this.#heldCount++;
    this.#heldMs += (heldMs - this.#heldMs) * Math.max(HELD_WEIGHT, 1 / this.#heldCount);
    if (fault === undefined) this.#acceptance.ended(heldMs);
    this.#held.delete(permit);
    permit.lease.settle();
    if (permit.place !== undefined && usage !== undefined) this.#queue.settle(permit.place, serviceCost(usage));
    this.drain();
  }

  drain(): void {
    while (this.#held.size < this.#limit.value) {
      const waiting = this.#queue.take();
      if (waiting === undefined) return;
      const { place } = waiting;
      const answer = this.#answerTo(waiting);
      if ("ok" in answer && place !== undefined) this.#queue.settle(place, 0);
      waiting.resolve(answer);
      this.#left(waiting);
    }
  }

  /** What was learned stays, within the new bounds; `initial` is for a limit that has learned nothing. */
  configure(settings: ThrottleSettings): void {
    this.#settings = settings;
    this.#limit.bounds = settings;
    this.#limit.set(settings.adaptive && this.#limit.isLearned ? this.#limit.value : settings.initial);
    this.drain();
  }

  close(): void {
    for (let last = this.#queue.last(); last !== undefined; last = this.#queue.last()) {
      this.#withdraw(last, faultOf({ kind: "refused", error: new ClosedError() }));
    }
  }

  /** Refuses a call, and tells of it. */
  refuse(call: Call, reason: RefusalReason, after?: number): Fault {
    const limit = this.#limit.value;
    const retryAfterMs = after ?? this.#retryAfter(call, reason);
    const { events } = this.#runtime;
    if (events.wants("throttle.rejected")) {
      events.emit("throttle.rejected", call, { key: this.key, limit, reason, retryAfterMs });
    }
    return refusal(new ThrottleError(messageOf(reason, this.key, limit), { policy: "throttle", retryAfterMs }));
  }

  #answerTo({ call, place }: Waiting): Permit | Fault {
    // What was to be sent when it came may be refused by now.
    if (this.#isRefused(call)) return this.refuse(call, "provider_refuses");
    return call.trace.seat?.takeNow(call) === false ? WITHOUT_SLOT : this.#open(call, place);
  }

  #learn(permit: Permit, fault: Fault | undefined, usage: Settlement["usage"]): void {
    const { call, attemptsBefore } = permit;
    const now = this.#clock.now();
    const before = this.#limit.value;
    if (fault === undefined) {
      const record = sentAfter(call, attemptsBefore);
      if (record === undefined || record.fault !== undefined) return;
      const durationMs = (record.endedAt ?? now) - record.sentAt;
      this.#takeFirstToken(permit);
      const sample = tokenSample(call, record, usage);
      this.#moved(
        this.#limit.answered(now, durationMs, sample, () => this.#load()),
        before,
      );
    } else if (fault.kind === "overloaded" || fault.kind === "timeout") {
      const sentAt = sentAtOf(permit);
      const served = fault.kind === "overloaded" ? this.#load().atWire - 1 : undefined;
      if (this.#limit.overloaded(now, sentAt, served)) this.#moved("overloaded", before);
    }
  }

  // A call that a rate limit further in holds back has a permit and is no load.
  #load(): Load {
    let atWire = 0;
    let beforeFirstToken = 0;
    for (const permit of this.#held) {
      if (permit.call.trace.attemptCount <= permit.attemptsBefore) continue;
      atWire++;
      this.#takeFirstToken(permit);
      if (permit.call.stream && !permit.firstTokenTaken) beforeFirstToken++;
    }
    return { atWire, beforeFirstToken };
  }

  // Without waiting for the end of the answer, which for a long one would be old news.
  #takeFirstToken(permit: Permit): void {
    if (permit.firstTokenTaken) return;
    const record = sentAfter(permit.call, permit.attemptsBefore);
    if (record?.firstContentAt === undefined) return;
    permit.firstTokenTaken = true;
    this.#limit.firstToken.add(firstTokenSample(permit.call, record));
  }

  #regain(now: number): void {
    if (!this.#settings.adaptive) return;
    const before = this.#limit.value;
    const reason = this.#limit.exhausted(now, () => this.#load().atWire);
    if (reason === undefined) return;
    this.#moved(reason, before);
    this.drain();
  }

  #isRefused({ scope }: Call): boolean {
    const share = this.#refusedShare();
    return share > 0 && this.#runtime.random() < this.#priorities.chanceOf(scope.priority, share);
  }

  #refusedShare(): number {
    const { clientThrottling: rules } = this.#settings;
    if (rules === false) return 0;
    return this.#acceptance.share(this.#clock.now(), rules, (minAgeMs, sentAfter) =>
      this.#outlived(minAgeMs, sentAfter),
    );
  }

  #outlived(minAgeMs: number, sentAfter: number): Outlived {
    const sentBefore = this.#clock.now() - minAgeMs;
    let all = 0;
    let sinceRefusal = 0;
    for (const permit of this.#held) {
      const sentAt = sentAtOf(permit);
      if (permit.call.trace.attemptCount <= permit.attemptsBefore || sentAt >= sentBefore) continue;
      all++;
      if (sentAt > sentAfter) sinceRefusal++;
    }
    return { all, sinceRefusal };
  }

  /** Where no more may wait, the last of the least urgent makes room for a call that is more urgent. */
  #makeRoom({ scope }: Call): boolean {
    if (this.#queue.size < this.#settings.maxQueue) return true;
    const last = this.#queue.lastBehind(scope.priority, scope.client);
    return last !== undefined && this.#withdraw(last, this.refuse(last.item.call, "full"));
  }

  #comesTooLate(call: Call, now: number): boolean {
    if (call.admitBy === Number.POSITIVE_INFINITY) return false;
    const leftMs = call.admitBy - now;
    return leftMs <= 0 || (this.#heldCount >= HELD_SAMPLES_MIN && this.#waitEstimate(call) > CERTAINTY * leftMs);
  }

  #waitEstimate(call: Call): number {
    return ((this.#queue.aheadOf(call.scope.priority, call.scope.client) + 1) * this.#heldMs) / this.#limit.value;
  }

  #retryAfter(call: Call, reason: RefusalReason): number | undefined {
    const { clientThrottling: rules } = this.#settings;
    // The share that is refused is another one when the window has moved on.
    if (reason === "provider_refuses" && rules !== false) return Math.ceil(rules.windowMs / SLICES);
    return this.#heldCount === 0 ? undefined : Math.ceil(this.#waitEstimate(call));
  }

  #open(call: Call, place?: Waiter<Waiting>): Permit {
    const attemptsBefore = call.trace.attemptCount;
    const lease = this.#account.reserve(1);
    const permit = { lease, call, takenAt: this.#clock.now(), attemptsBefore, place, firstTokenTaken: false };
    this.#held.add(permit);
    return permit;
  }

  #withdraw(place: Waiter<Waiting>, fault: Fault): boolean {
    if (!this.#queue.remove(place)) return false;
    place.item.resolve(fault);
    this.#left(place.item);
    return true;
  }

  #left({ call, since, timer, leaving, off }: Waiting): void {
    timer?.cancel();
    leaving?.cancel();
    off?.();
    const now = this.#clock.now();
    call.trace.waited(now, "throttle", "throttle", now - since);
    const { events } = this.#runtime;
    if (events.wants("throttle.waited")) events.emit("throttle.waited", call, { key: this.key, waitMs: now - since });
  }

  #moved(reason: ChangeReason | undefined, from: number): void {
    if (reason === undefined) return;
    const limit = this.#limit.value;
    this.#lastChange = { reason, from, limit, at: this.#clock.now() };
    const { events } = this.#runtime;
    if (!events.wants("throttle.changed")) return;
    events.emit("throttle.changed", undefined, { key: this.key, from, limit, reason });
  }
}

function sentAtOf({ call, takenAt, attemptsBefore }: Permit): number {
  return sentAfter(call, attemptsBefore)?.sentAt ?? takenAt;
}
