import {
  aborted,
  broken,
  type Call,
  ClosedError,
  type Fault,
  faultOf,
  type LimitReading,
  type Next,
  type Outcome,
  RateLimitError,
  type Runtime,
  refusal,
  type Settlement,
} from "../../core/index.ts";
import { Admission } from "./admission.ts";
import { Booking, costOf } from "./booking.ts";
import { type Estimate, TokenEstimator } from "./estimator.ts";
import { Key, type Rank, type Waiting } from "./key.ts";
import { KeyTable } from "./key-table.ts";
import { isEmpty, metersFor } from "./limits.ts";
import type { Cost } from "./meter.ts";
import type { RateLimitSettings } from "./options.ts";
import type { LimiterState } from "./snapshot.ts";
import { type Mark, Target } from "./target.ts";

/** One call on its way through the limiter. */
interface Passage {
  readonly call: Call;
  readonly next: Next;
  /** Narrowest first; `target` is one of them. */
  readonly keys: readonly Key[];
  readonly target: Target;
  readonly estimate: Estimate;
  readonly cost: Cost;
}

/** Our own limiter: admits, sends, learns from the answer and settles. */
export class Limiter {
  readonly #runtime: Runtime;
  readonly #admission: Admission;
  readonly #estimator = new TokenEstimator();
  readonly #global: Key;
  readonly #targets: KeyTable<Target>;
  readonly #models: KeyTable<Key>;
  readonly #clients: KeyTable<Key>;
  #settings: RateLimitSettings;
  #limitsClients = false;
  #limitsModels = false;
  /** Whether a request limit of ours spreads the calls of every target. */
  #pacesRequests = false;
  #closed = false;
  #admitted = 0;
  #refused = 0;

  constructor(settings: RateLimitSettings, runtime: Runtime) {
    this.#settings = settings;
    this.#runtime = runtime;
    this.#admission = new Admission(runtime.clock);
    this.#global = new Key("global", "global", []);
    this.#targets = new KeyTable((name) => new Target(name));
    this.#models = new KeyTable(
      (name, now) => new Key("model", name, metersFor(this.#settings.perModel, this.#settings, now)),
    );
    this.#clients = new KeyTable(
      (name, now) => new Key("client", name, metersFor(this.#settings.perClient, this.#settings, now)),
    );
    this.configure(settings);
  }

  handle(call: Call, next: Next): Promise<Outcome> {
    if (call.cancellation.cancelled) return Promise.resolve(aborted(call.cancellation.reason));
    if (this.#closed) return Promise.resolve(closed());
    const now = this.#runtime.clock.now();
    const passage = this.#plan(call, next, now);
    const obstacle = this.#admission.pass(passage.keys, passage.cost, now);
    return obstacle === undefined ? this.#send(passage, now) : this.#wait(passage, obstacle, now);
  }

  configure(settings: RateLimitSettings): void {
    const { limits, perModel, perClient } = settings;
    this.#settings = settings;
    this.#limitsClients = !isEmpty(perClient);
    this.#limitsModels = !isEmpty(perModel);
    this.#pacesRequests = limits.requestsPerMinute !== undefined || perModel.requestsPerMinute !== undefined;
    const now = this.#runtime.clock.now();
    this.#global.meters = metersFor(limits, settings, now, this.#global.meters);
    for (const key of this.#models.values()) key.meters = metersFor(perModel, settings, now, key.meters);
    for (const key of this.#clients.values()) key.meters = metersFor(perClient, settings, now, key.meters);
    if (!settings.learn) for (const target of this.#targets.values()) target.forget();
    this.#admission.wakeAll(now);
  }

  close(): void {
    this.#closed = true;
    for (const waiting of this.#admission.clear()) waiting.expired(this.#runtime.clock.now());
  }

  state(): LimiterState {
    return {
      admitted: this.#admitted,
      refused: this.#refused,
      waiting: this.#admission.waiting,
      keys: { client: this.#clients.size, model: this.#models.size, target: this.#targets.size },
      global: this.#global,
      targets: this.#targets.values(),
    };
  }

  #plan(call: Call, next: Next, now: number): Passage {
    const keys: Key[] = [];
    if (this.#limitsClients && call.scope.client !== undefined) keys.push(this.#clients.get(call.scope.client, now));
    if (this.#limitsModels) keys.push(this.#models.get(call.model, now));
    const target = this.#targets.get(call.target, now);
    keys.push(target, this.#global);
    const estimate = this.#estimator.estimate(call);
    return { call, next, keys, target, estimate, cost: costOf(estimate) };
  }

  #wait(passage: Passage, obstacle: Key, enteredAt: number): Promise<Outcome> {
    const { call, keys, cost } = passage;
    const { priority } = call.scope;
    const expectedMs = this.#admission.expectedDelay(keys, cost, priority, enteredAt);
    if (enteredAt + expectedMs > call.admitBy || this.#admission.waiting >= this.#settings.maxQueue) {
      return Promise.resolve(this.#refuse(call, obstacle, expectedMs));
    }
    return new Promise((resolve) => {
      const waited = (now: number): void => {
        off();
        this.#report(call, obstacle, enteredAt, now);
      };
      const waiting: Waiting = {
        keys,
        cost,
        level: priority,
        admitBy: call.admitBy,
        place: undefined,
        admitted: (now) => {
          waited(now);
          resolve(this.#send(passage, now));
        },
        expired: (now) => {
          waited(now);
          const retryAfterMs = this.#admission.expectedDelay(keys, cost, priority, now);
          resolve(this.#closed ? closed() : this.#refuse(call, obstacle, retryAfterMs));
        },
      };
      const off = call.cancellation.onCancel((reason) => {
        const now = this.#runtime.clock.now();
        waited(now);
        resolve(aborted(reason));
        this.#admission.leave(waiting, now);
      });
      this.#admission.enter(waiting, obstacle, enteredAt);
    });
  }

  async #send(passage: Passage, sentAt: number): Promise<Outcome> {
    const { call, next, target, estimate, cost } = passage;
    this.#admitted++;
    const mark = target.sent(cost, sentAt);
    const booking = new Booking(this.#runtime, estimate, cost);
    const outcome = await next(call);
    const now = this.#runtime.clock.now();
    if (!outcome.ok) {
      this.#learn(passage, outcome.limits, mark, now);
      this.#settle(passage, booking, mark, broken(outcome), undefined);
      return outcome;
    }
    target.accepted(now);
    this.#learn(passage, outcome.head.limits, mark, now);
    this.#admission.wake(passage.keys, now);
    const { body, settled } = outcome;
    settled.subscribe((settlement) => {
      this.#settle(passage, booking, mark, settlement, body.kind === "stream" ? body.chunkCount : 0);
    });
    return outcome;
  }

  #settle(passage: Passage, booking: Booking, mark: Mark, settlement: Settlement, chunks: number | undefined): void {
    const { call, keys, cost } = passage;
    const { fault, usage } = settlement;
    const now = this.#runtime.clock.now();
    const used = booking.settle(settlement, chunks);
    for (const key of keys) key.correct(cost, used, mark.sentAt, now);
    if (fault === undefined && usage !== undefined) this.#estimator.learn(call, usage);
    if (fault?.kind === "rate_limited") this.#closeGate(passage, fault, mark, now);
    this.#admission.wake(keys, now);
  }

  #closeGate({ call, target }: Passage, fault: Fault, mark: Mark, now: number): void {
    const { burstMs } = this.#settings;
    const forMs = target.closeGate(fault, mark, this.#pacesRequests, burstMs, now);
    if (forMs !== undefined) this.#runtime.events.emit("ratelimit.gated", call, { key: target.name, forMs });
  }

  #learn({ call, target }: Passage, readings: readonly LimitReading[] | undefined, mark: Mark, now: number): void {
    if (readings === undefined || !this.#settings.learn) return;
    const { events } = this.#runtime;
    for (const reading of readings) {
      if (!target.learn(reading, mark, this.#settings.burstMs, now) || !events.wants("ratelimit.observed")) continue;
      const { unit, windowMs, limit, remaining } = reading;
      events.emit("ratelimit.observed", call, { key: target.name, unit, windowMs, limit, remaining });
    }
  }

  #report(call: Call, obstacle: Key, enteredAt: number, now: number): void {
    const waitMs = now - enteredAt;
    call.trace.waited(now, "rateLimit", "rateLimit", waitMs);
    const { events } = this.#runtime;
    if (events.wants("ratelimit.waited")) events.emit("ratelimit.waited", call, { limiter: obstacle.rank, waitMs });
  }

  #refuse(call: Call, obstacle: Key, expectedMs: number): Fault {
    this.#refused++;
    const retryAfterMs = Math.ceil(expectedMs);
    this.#runtime.events.emit("ratelimit.rejected", call, { limiter: obstacle.rank, retryAfterMs });
    const message = `The rate limit of this ${WORDS[obstacle.rank]} cannot admit the call in time; it can in ${retryAfterMs} ms.`;
    return refusal(new RateLimitError(message, { policy: "rateLimit", retryAfterMs }));
  }
}

const WORDS: Readonly<Record<Rank, string>> = {
  client: "client",
  model: "model",
  target: "model and credential",
  global: "process",
};

function closed(): Fault {
  return faultOf({ kind: "refused", error: new ClosedError() });
}
