import {
  type Call,
  Cancellation,
  type Fault,
  type Next,
  type Outcome,
  type Reply,
  type Runtime,
  sleep,
} from "../../core/index.ts";
import { type Pause, pauseAfter } from "./backoff.ts";
import { RetryBudget } from "./budget.ts";
import type { RetrySettings } from "./options.ts";

type GaveUp = "attempts" | "budget" | "deadline";

// A provider that says "in an hour" has a daily quota in mind; nobody waits for that inside a call.
const LONGEST_PAUSE_MS = 600_000;

/** The loop that makes tries, and what it counts. */
export class Retrier {
  readonly #runtime: Runtime;
  #settings: RetrySettings;
  #budget: RetryBudget | undefined;
  readonly #closing = new Cancellation();
  #retries = 0;
  readonly #exhausted: Record<GaveUp, number> = { attempts: 0, budget: 0, deadline: 0 };

  constructor(settings: RetrySettings, runtime: Runtime) {
    this.#runtime = runtime;
    this.#settings = settings;
    this.#budget = settings.budget && new RetryBudget(settings.budget);
  }

  async run(call: Call, next: Next): Promise<Outcome> {
    for (let attempt = 1; ; attempt++) {
      const outcome = await readToContent(await next(attempt === 1 ? call : call.with({ attempt })));
      if (outcome.ok) {
        this.#rewardWhenWhole(call, outcome);
        return outcome;
      }
      if (!outcome.retryable || outcome.committed || call.cancellation.cancelled) return outcome;
      if (this.#closing.cancelled) return outcome;

      const pause = pauseAfter(outcome, attempt, this.#settings, this.#runtime.random);
      const gaveUp = this.#reasonToStop(call, outcome, attempt, pause);
      if (gaveUp !== undefined) {
        this.#exhausted[gaveUp]++;
        this.#runtime.events.emit("retry.exhausted", call, { attempts: attempt, reason: outcome.kind, by: gaveUp });
        return outcome;
      }
      const left = await this.#pause(call, outcome, attempt + 1, pause);
      if (left !== undefined) {
        this.#budget?.giveBack(call.provider, outcome);
        return call.cancellation.cancelled ? left : outcome;
      }
      this.#retries++;
    }
  }

  close(): void {
    this.#closing.cancel("closed");
  }

  configure(settings: RetrySettings): void {
    this.#settings = settings;
    if (settings.budget === undefined) this.#budget = undefined;
    else if (this.#budget === undefined) this.#budget = new RetryBudget(settings.budget);
    else this.#budget.configure(settings.budget);
  }

  snapshot(): { retries: number; exhausted: Record<GaveUp, number>; budgets: Record<string, number> } {
    return {
      retries: this.#retries,
      exhausted: { ...this.#exhausted },
      budgets: this.#budget?.balances() ?? {},
    };
  }

  // The budget comes last: it must not pay for a retry that is not made.
  #reasonToStop(call: Call, fault: Fault, attempt: number, pause: Pause): GaveUp | undefined {
    if (attempt >= this.#settings.attempts) return "attempts";
    if (pause.ms > LONGEST_PAUSE_MS || this.#runtime.clock.now() + pause.ms >= call.admitBy) return "deadline";
    if (this.#budget !== undefined && !this.#budget.spend(call.provider, fault)) return "budget";
    return undefined;
  }

  async #pause(call: Call, fault: Fault, attempt: number, { ms, source }: Pause): Promise<Fault | undefined> {
    const { clock, events } = this.#runtime;
    events.emit("retry.scheduled", call, { attempt, delayMs: ms, reason: fault.kind, source });
    const pausedAt = clock.now();
    const { cancellation, release } = call.cancellation.child();
    const off = this.#closing.onCancel((reason) => cancellation.cancel(reason));
    const left = await sleep(this.#runtime, call.with({ cancellation }), ms);
    release();
    off();
    const now = clock.now();
    call.trace.waited(now, "retry", "backoff", now - pausedAt);
    return left;
  }

  #rewardWhenWhole(call: Call, reply: Reply): void {
    if (this.#budget === undefined) return;
    reply.settled.subscribe((settlement) => {
      if (settlement.fault === undefined) this.#budget?.succeeded(call.provider);
    });
  }
}

/** Holds a stream back until its first content, so that a failure before it is a fault that can be answered. */
async function readToContent(outcome: Outcome): Promise<Outcome> {
  if (!outcome.ok || outcome.body.kind !== "stream") return outcome;
  return (await outcome.body.prime()) ?? outcome;
}
