import {
  aborted,
  type Call,
  ClosedError,
  faultOf,
  type Next,
  OptionError,
  type Outcome,
  RateLimitError,
  type Runtime,
  refusal,
  type Timer,
} from "../../core/index.ts";
import { TokenEstimator } from "../../tokens/index.ts";
import { Booking } from "./booking.ts";
import type { RateLimitSnapshot } from "./snapshot.ts";

/** The part of a `Bottleneck` (2.19) that is used. */
export interface BottleneckLike {
  schedule<T>(options: { priority?: number }, job: () => PromiseLike<T>): PromiseLike<T>;
}

/** The part of a `Bottleneck.Group` (2.19) that is used: one limiter for each provider, model and credential. */
export interface BottleneckGroupLike {
  key(id: string): BottleneckLike;
}

/** Checks that a value can be used as a limiter. Throws `OptionError`. */
export function readBottleneck<T extends BottleneckLike | BottleneckGroupLike>(value: T): T {
  if (typeof value === "object" && value !== null) {
    if ("schedule" in value && typeof value.schedule === "function") return value;
    if ("key" in value && typeof value.key === "function") return value;
  }
  throw new OptionError("rateLimit.limiter", value, "a Bottleneck or a Bottleneck.Group");
}

/** Passes calls through a Bottleneck of the user's. A call keeps its slot until its body is over. */
export class BottleneckEngine {
  readonly #limiter: BottleneckLike | BottleneckGroupLike;
  readonly #runtime: Runtime;
  readonly #estimator = new TokenEstimator();
  readonly #waiting = new Set<(outcome: Outcome) => void>();
  #admitted = 0;
  #running = 0;
  #refused = 0;

  constructor(limiter: BottleneckLike | BottleneckGroupLike, runtime: Runtime) {
    this.#limiter = limiter;
    this.#runtime = runtime;
  }

  /** Lets waiting calls go; the limiter stays the user's. */
  close(): void {
    for (const leave of [...this.#waiting]) leave(faultOf({ kind: "refused", error: new ClosedError() }));
  }

  snapshot(): RateLimitSnapshot {
    return {
      engine: "bottleneck",
      admitted: this.#admitted,
      refused: this.#refused,
      waiting: this.#waiting.size,
      running: this.#running,
      limits: [],
      targets: [],
      keys: { client: 0, label: 0, model: 0, credential: 0, target: 0 },
    };
  }

  handle(call: Call, next: Next): Promise<Outcome> {
    if (call.cancellation.cancelled) return Promise.resolve(aborted(call.cancellation.reason));
    const { clock } = this.#runtime;
    const limiter = "schedule" in this.#limiter ? this.#limiter : this.#limiter.key(call.target);
    const enteredAt = clock.now();
    return new Promise((resolve) => {
      let timer: Timer | undefined;
      const leave = (outcome?: Outcome): void => {
        if (!this.#waiting.delete(leave)) return;
        timer?.cancel();
        off();
        this.#waited(call, enteredAt);
        if (outcome !== undefined) resolve(outcome);
      };
      this.#waiting.add(leave);
      // Bottleneck cannot take a job back: one whose caller has left ends at once when its turn comes.
      const off = call.cancellation.onCancel((reason) => leave(aborted(reason)));
      if (call.admitBy < Number.POSITIVE_INFINITY) {
        timer = clock.timer(call.admitBy - enteredAt, () => leave(this.#refuse(call, "no turn within the deadline")));
      }
      limiter
        .schedule({ priority: call.scope.priority }, () => {
          if (!this.#waiting.has(leave)) return Promise.resolve();
          leave();
          return this.#send(call, next, resolve);
        })
        .then(undefined, (error: unknown) => {
          if (this.#waiting.has(leave))
            leave(this.#refuse(call, error instanceof Error ? error.message : String(error)));
        });
    });
  }

  /** Sends; the promise settles when the body is over, and with it Bottleneck's slot. */
  async #send(call: Call, next: Next, answer: (outcome: Outcome) => void): Promise<void> {
    this.#admitted++;
    this.#running++;
    const estimate = this.#estimator.estimate(call);
    const booking = new Booking(this.#runtime, estimate);
    const outcome = await next(call);
    answer(outcome);
    if (!outcome.ok) {
      this.#running--;
      booking.settle({ fault: outcome, usage: undefined, chunks: undefined });
      return;
    }
    const settlement = await outcome.settled.promise();
    this.#running--;
    booking.settle({ ...settlement, chunks: outcome.body.kind === "stream" ? outcome.body.chunkCount : 0 });
    if (settlement.usage !== undefined) this.#estimator.learn(call, settlement.usage);
  }

  #waited(call: Call, enteredAt: number): void {
    const now = this.#runtime.clock.now();
    call.trace.waited(now, "rateLimit", "rateLimit", now - enteredAt);
    if (this.#runtime.events.wants("ratelimit.waited")) {
      this.#runtime.events.emit("ratelimit.waited", call, { limiter: "bottleneck", waitMs: now - enteredAt });
    }
  }

  #refuse(call: Call, why: string): Outcome {
    this.#refused++;
    this.#runtime.events.emit("ratelimit.rejected", call, { limiter: "bottleneck", retryAfterMs: undefined });
    return refusal(new RateLimitError(`The limiter did not take this call: ${why}`, { policy: "rateLimit" }));
  }
}
