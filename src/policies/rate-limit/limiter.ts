import {
  aborted,
  broken,
  type Call,
  ClosedError,
  type Fault,
  faultOf,
  type LimitReading,
  leaveWhenLong,
  type Next,
  type Outcome,
  RateLimitError,
  type Reply,
  type Runtime,
  refusal,
  type Settlement,
  type SharedQuotas,
  type Timer,
  WITHOUT_SLOT,
} from "../../core/index.ts";
import { type Estimate, TokenEstimator } from "../../tokens/index.ts";
import { accountingOf, type CallCost, costOf, expectedCost, finalCost, type TokenAccounting } from "./accounting.ts";
import { Admission } from "./admission.ts";
import { Booking } from "./booking.ts";
import type { Key, Rank, Waiting } from "./key.ts";
import { Keys, nameOf, type Route } from "./keys.ts";
import type { Cost } from "./meter.ts";
import type { RateLimitSettings } from "./options.ts";
import { shareKeys } from "./sharing.ts";
import type { LimiterState } from "./snapshot.ts";
import type { Mark } from "./target.ts";

/** How many output tokens an answer that outgrows its estimate takes at a time. */
const TOP_UP_TOKENS = 256;

/** One call on its way through the limiter. */
interface Passage {
  readonly call: Call;
  readonly next: Next;
  readonly route: Route;
  readonly estimate: Estimate;
  readonly accounting: Required<TokenAccounting>;
  readonly cost: CallCost;
}

/** One that has been sent. */
interface Sent {
  readonly passage: Passage;
  readonly booking: Booking;
  readonly mark: Mark;
  /** Where it has waited for its turn, if it had to. */
  readonly turn: Waiting["turn"];
  /** What its keys hold for it now. */
  taken: CallCost;
}

/** Our own limiter: admits, sends, learns from the answer and settles. */
export class Limiter {
  readonly #runtime: Runtime;
  readonly #admission: Admission;
  readonly #estimator = new TokenEstimator();
  readonly #keys: Keys;
  #settings: RateLimitSettings;
  #shared: { readonly quotas: SharedQuotas; readonly end: () => void } | undefined;
  #closed = false;
  #admitted = 0;
  #refused = 0;

  constructor(settings: RateLimitSettings, runtime: Runtime) {
    this.#settings = settings;
    this.#runtime = runtime;
    this.#admission = new Admission(runtime.clock);
    this.#keys = new Keys(settings, runtime.clock.now(), (keys) => this.#admission.wake(keys, runtime.clock.now()));
  }

  handle(call: Call, next: Next): Promise<Outcome> {
    if (call.cancellation.cancelled) return Promise.resolve(aborted(call.cancellation.reason));
    if (this.#closed) return Promise.resolve(closed());
    const now = this.#runtime.clock.now();
    const estimate = this.#estimator.estimate(call, this.#settings.tokens);
    const accounting = accountingOf(this.#settings.accounting, call.provider);
    const route = this.#keys.routeOf(call, now);
    const cost = expectedCost(call, estimate, accounting, route.target.outputRatio);
    const passage = { call, next, route, estimate, accounting, cost };
    const obstacle = this.#admission.pass(route.keys, cost, now);
    return obstacle === undefined ? this.#send(passage, now) : this.#wait(passage, obstacle, now);
  }

  hasRoom(call: Call, share: number): boolean {
    const now = this.#runtime.clock.now();
    const { keys, target } = this.#keys.routeOf(call, now);
    const accounting = accountingOf(this.#settings.accounting, call.provider);
    const cost = expectedCost(call, this.#estimator.estimate(call), accounting, target.outputRatio);
    return keys.every((key) => key.hasRoom(cost, share, now));
  }

  configure(settings: RateLimitSettings): void {
    const now = this.#runtime.clock.now();
    this.#settings = settings;
    this.#keys.configure(settings, now);
    this.#admission.wakeAll(now);
  }

  /** Draws from quotas that other processes draw from too, and shares the gates. Ends with what it gives back. */
  share(quotas: SharedQuotas): () => void {
    const { clock } = this.#runtime;
    this.#unshare();
    const wake = (target: Key): void => this.#admission.wake([target], clock.now());
    const end = shareKeys(this.#keys, quotas, clock, () => this.#settings, wake);
    this.#shared = { quotas, end };
    return () => {
      if (this.#shared?.end !== end) return;
      this.#unshare();
      this.#admission.wakeAll(clock.now());
    };
  }

  close(): void {
    this.#closed = true;
    this.#unshare();
    for (const waiting of this.#admission.clear()) waiting.expired(this.#runtime.clock.now());
  }

  state(): LimiterState {
    return {
      admitted: this.#admitted,
      refused: this.#refused,
      waiting: this.#admission.waiting,
      keys: this.#keys.sizes,
      global: this.#keys.global,
      targets: this.#keys.targets.values(),
    };
  }

  #wait(passage: Passage, obstacle: Key, enteredAt: number): Promise<Outcome> {
    const { call, cost } = passage;
    const { keys } = passage.route;
    const { scope } = call;
    const { seat } = call.trace;
    // One that comes back with a slot has had its place among those who wait.
    const cameAt = seat?.since;
    const isFull = cameAt === undefined && this.#admission.waiting >= this.#settings.maxQueue;
    const expectedMs =
      cameAt === undefined
        ? this.#admission.expectedDelay(keys, cost, scope, enteredAt)
        : this.#admission.leastDelay(keys, cost, enteredAt);
    if (enteredAt + expectedMs > call.admitBy || (isFull && !this.#admission.makeRoom(keys, scope, enteredAt))) {
      return Promise.resolve(this.#refuse(call, obstacle, expectedMs));
    }
    return new Promise((resolve) => {
      let leaving: Timer | undefined;
      const waited = (now: number): void => {
        off();
        leaving?.cancel();
        this.#report(call, obstacle, enteredAt, now);
      };
      const waiting: Waiting = {
        keys,
        cost,
        level: scope.priority,
        tenant: scope.client,
        since: enteredAt,
        due: cameAt ?? enteredAt,
        admitBy: call.admitBy,
        place: undefined,
        turn: undefined,
        seated: () => seat === undefined || seat.takeNow(call),
        unseated: (now) => {
          waited(now);
          resolve(WITHOUT_SLOT);
        },
        admitted: (now) => {
          waited(now);
          resolve(this.#send(passage, now, waiting.turn));
        },
        expired: (now) => {
          waited(now);
          const retryMs = this.#admission.expectedDelay(keys, cost, scope, now);
          resolve(this.#closed ? closed() : this.#refuse(call, obstacle, retryMs));
        },
      };
      const off = call.cancellation.onCancel((reason) => {
        const now = this.#runtime.clock.now();
        waited(now);
        resolve(aborted(reason));
        this.#admission.leave(waiting, now);
      });
      this.#admission.enter(waiting, obstacle, enteredAt);
      if (waiting.place !== undefined) leaving = leaveWhenLong(this.#runtime, call, expectedMs);
    });
  }

  async #send(passage: Passage, sentAt: number, turn?: Waiting["turn"]): Promise<Outcome> {
    const { cost } = passage;
    const { target, keys } = passage.route;
    this.#admitted++;
    const booking = new Booking(this.#runtime, passage.estimate);
    const sent: Sent = { passage, booking, mark: target.sent(cost.provider, sentAt), turn, taken: cost };
    const outcome = await passage.next(passage.call);
    const now = this.#runtime.clock.now();
    if (!outcome.ok) {
      this.#end(sent, broken(outcome), undefined, outcome.limits);
      return outcome;
    }
    target.accepted(now);
    this.#learn(sent, outcome.head.limits, false, now);
    this.#admission.wake(keys, now);
    this.#follow(sent, outcome);
    return outcome;
  }

  #follow(sent: Sent, { body, settled }: Reply): void {
    if (body.kind === "value") {
      settled.subscribe((settlement) => this.#end(sent, settlement, 0));
      return;
    }
    body.observe({
      chunk: () => {
        if (body.chunkCount > sent.booking.outputHeld) this.#topUp(sent);
      },
    });
    settled.subscribe((settlement) => this.#end(sent, settlement, body.chunkCount));
  }

  // A chunk is about a token; the provider's count at the end corrects it.
  #topUp(sent: Sent): void {
    sent.booking.topUp(TOP_UP_TOKENS);
    const now = this.#runtime.clock.now();
    const { own, provider, mean } = sent.taken;
    const outgrown = sent.booking.outputHeld > provider.outputTokens;
    const taken = { own: more(own), provider: outgrown ? more(provider) : provider, mean: more(mean) };
    for (const key of sent.passage.route.keys) key.correct(sent.taken, taken, sent.mark.sentAt, now);
    sent.taken = taken;
  }

  // Settled before anything is learned: what a refusal tells does not count the request that it refused.
  #end(
    sent: Sent,
    { fault, usage }: Settlement,
    chunks: number | undefined,
    limits?: readonly LimitReading[] | undefined,
  ): void {
    const { passage, booking, taken, mark, turn } = sent;
    const { keys } = passage.route;
    const now = this.#runtime.clock.now();
    const used = booking.settle({ fault, usage, chunks });
    const final = finalCost(passage.cost, used, usage, passage.accounting);
    for (const key of keys) {
      key.correct(taken, final, mark.sentAt, now);
      key.over(mark.sentAt, now);
    }
    turn?.key.settleTurn(turn.waiter, used.tokens);
    if (fault === undefined && usage !== undefined) {
      this.#estimator.learn(passage.call, usage);
      passage.route.target.answered(passage.estimate.output, usage.outputTokens);
    }
    this.#learn(sent, limits, true, now);
    if (fault?.kind === "rate_limited") this.#closeGate(sent, fault, now);
    this.#admission.wake(keys, now);
  }

  #closeGate({ passage, mark }: Sent, fault: Fault, now: number): void {
    const { target } = passage.route;
    const forMs = target.refuse(fault, mark, this.#settings.burstMs, now);
    if (forMs === undefined) return;
    this.#shared?.quotas.closeGate(nameOf(target), forMs);
    this.#runtime.events.emit("ratelimit.gated", passage.call, { key: target.name, forMs });
  }

  #learn({ passage, mark }: Sent, readings: readonly LimitReading[] | undefined, refused: boolean, now: number): void {
    const { target } = passage.route;
    if (readings === undefined || !this.#settings.learn) return;
    const { events } = this.#runtime;
    let learned = false;
    for (const reading of readings) {
      if (!target.learn(reading, mark, refused, this.#settings.burstMs, now)) continue;
      learned = true;
      if (!events.wants("ratelimit.observed")) continue;
      const { unit, windowMs, limit, remaining } = reading;
      events.emit("ratelimit.observed", passage.call, { key: target.name, unit, windowMs, limit, remaining });
    }
    if (learned) target.share?.setLimits(target.learnedLimits, now);
  }

  #report(call: Call, obstacle: Key, enteredAt: number, now: number): void {
    const waitMs = now - enteredAt;
    call.trace.waited(now, "rateLimit", "rateLimit", waitMs);
    const { events } = this.#runtime;
    if (events.wants("ratelimit.waited")) events.emit("ratelimit.waited", call, { limiter: obstacle.rank, waitMs });
  }

  #refuse(call: Call, obstacle: Key, expectedMs: number): Fault {
    this.#refused++;
    // At once is when nobody can tell: it depends on calls that are under way.
    const retryAfterMs = expectedMs > 0 ? Math.ceil(expectedMs) : undefined;
    this.#runtime.events.emit("ratelimit.rejected", call, { limiter: obstacle.rank, retryAfterMs });
    const when = retryAfterMs === undefined ? "" : `; it can in ${retryAfterMs} ms`;
    const message = `The rate limit of this ${WORDS[obstacle.rank]} cannot admit the call in time${when}.`;
    return refusal(new RateLimitError(message, { policy: "rateLimit", retryAfterMs }));
  }

  #unshare(): void {
    this.#shared?.end();
    this.#shared = undefined;
  }
}

const WORDS: Readonly<Record<Rank, string>> = {
  client: "client",
  label: "label",
  model: "model",
  target: "model and credential",
  credential: "credential",
  global: "process",
};

function more(cost: Cost): Cost {
  return costOf(cost.requests, cost.inputTokens, cost.outputTokens + TOP_UP_TOKENS);
}

function closed(): Fault {
  return faultOf({ kind: "refused", error: new ClosedError() });
}
