import {
  type Call,
  Cancellation,
  type Fault,
  faultOf,
  LONG_WAIT_MS,
  type Next,
  type Outcome,
  type Reply,
  RetryBudgetError,
  type Runtime,
  readToCommit,
  refusal,
  sleep,
  streamFor,
  streamReply,
  WITHOUT_SLOT,
} from "../../core/index.ts";
import { type Pause, pauseAfter } from "./backoff.ts";
import { RetryBudget } from "./budget.ts";
import type { RetrySettings } from "./options.ts";
import { ResumingSource } from "./resuming.ts";

/** Why a fault that may be retried was given back all the same. */
export type GaveUp = "attempts" | "budget" | "deadline" | "too_long";

// A provider that says "in an hour" has a daily quota in mind; nobody waits for that inside a call.
const LONGEST_PAUSE_MS = 600_000;
/** How many may pause without their slot: no queue bounds them. */
const AWAY_MAX = 10_000;

// What a retry of the client's own costs: nobody knows what it is a retry of.
const CLIENT_RETRY = faultOf({ kind: "unknown", error: undefined });

/** The tries of one call so far. */
interface Tries {
  readonly call: Call;
  readonly next: Next;
  count: number;
}

/** The loop that makes tries, and what it counts. */
export class Retrier {
  readonly #runtime: Runtime;
  #settings: RetrySettings;
  #budget: RetryBudget | undefined;
  readonly #closing = new Cancellation();
  #away = 0;
  #retries = 0;
  #resumed = 0;
  readonly #exhausted: Record<GaveUp, number> = { attempts: 0, budget: 0, deadline: 0, too_long: 0 };

  constructor(settings: RetrySettings, runtime: Runtime) {
    this.#runtime = runtime;
    this.#settings = settings;
    this.#budget = settings.budget && new RetryBudget(settings.budget);
  }

  run(call: Call, next: Next): Promise<Outcome> {
    return call.clientRetries > 0 ? this.#runClientRetry(call, next) : this.#run({ call, next, count: 0 });
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

  snapshot() {
    return {
      retries: this.#retries,
      resumed: this.#resumed,
      exhausted: { ...this.#exhausted },
      budgets: this.#budget?.balances() ?? {},
    };
  }

  #run(tries: Tries): Promise<Outcome> {
    const answer = this.#answer(tries);
    if (this.#settings.afterCommit === "error") return answer;
    return answer.then((outcome) => (outcome.ok ? this.#resumable(tries, outcome) : outcome));
  }

  async #runClientRetry(call: Call, next: Next): Promise<Outcome> {
    if (this.#budget?.spend(call.provider, CLIENT_RETRY) !== false) {
      return this.#run({ call: call.with({ attemptKind: "retry" }), next, count: 0 });
    }
    this.#exhausted.budget++;
    const message = `The budget of retries for ${call.provider} is spent, and this is a retry of the client's own.`;
    return refusal(new RetryBudgetError(message, { policy: "retry" }));
  }

  /** Tries until there is an answer, as far as its stream's commit point, or no further try is to be made. */
  async #answer(tries: Tries, call = tries.call): Promise<Outcome> {
    for (;;) {
      const attempt = ++tries.count;
      const sent = attempt === 1 ? call : call.with({ attempt, attemptKind: "retry" });
      let reply = await tries.next(sent);
      while (reply === WITHOUT_SLOT) reply = (await sent.trace.seat?.take(sent)) ?? (await tries.next(sent));
      const streams = reply.ok && reply.body.kind === "stream";
      const outcome = streams ? await readToCommit(this.#settings.commit, sent, reply) : reply;
      if (outcome.ok) {
        this.#rewardWhenWhole(call, outcome);
        return outcome;
      }
      const last = await this.#afterFailure(call, outcome, attempt);
      if (last !== undefined) return last;
    }
  }

  /** Waits until the next try is due. Gives a fault when there is to be none: what the caller gets. */
  async #afterFailure(call: Call, fault: Fault, attempt: number): Promise<Fault | undefined> {
    if (!fault.retryable || fault.committed || call.cancellation.cancelled || this.#closing.cancelled) return fault;
    const pause = pauseAfter(fault, attempt, this.#settings, this.#runtime.random);
    const gaveUp = this.#reasonToStop(call, fault, attempt, pause);
    if (gaveUp !== undefined) {
      this.#exhausted[gaveUp]++;
      this.#runtime.events.emit("retry.exhausted", call, { attempts: attempt, reason: fault.kind, by: gaveUp });
      return fault;
    }
    const left = await this.#pause(call, fault, attempt + 1, pause);
    if (left === undefined) {
      this.#retries++;
      return undefined;
    }
    this.#budget?.giveBack(call.provider, fault);
    return call.cancellation.cancelled ? left : fault;
  }

  /** The same reply; where its caller allows it, one that another try can take up after content. */
  #resumable(tries: Tries, reply: Reply): Reply {
    const { afterCommit: how } = this.#settings;
    const { call } = tries;
    const { body } = reply;
    if (how === "error" || body.kind !== "stream") return reply;
    if (how === "restart" ? call.scope.onRestart === undefined : call.wire.continuation === undefined) return reply;
    // Whoever stops reading must not wait for a pause or a try that was to go on for him; whoever reads has the head
    // already, and waits for the end only.
    const { cancellation, release } = call.cancellation.child();
    const source = new ResumingSource(call.with({ cancellation, admitBy: call.deadline }), body, {
      how,
      again: async (asked, fault) =>
        (await this.#afterFailure(asked, fault, tries.count)) ?? this.#answer(tries, asked),
      resumed: (given, fault) => this.#tellOfResumption(call, how, { attempt: tries.count, given }, fault),
    });
    const stream = streamFor(call, source);
    stream.settled.subscribe(({ fault }) => {
      release();
      if (fault !== undefined) cancellation.cancel(fault.error);
    });
    return streamReply(stream, reply.head, reply.servedBy);
  }

  #tellOfResumption(
    call: Call,
    how: "restart" | "continue",
    { attempt, given }: { readonly attempt: number; readonly given: number },
    { kind: reason }: Fault,
  ): boolean {
    try {
      if (how === "restart" && given > 0) call.scope.onRestart?.({ attempt, given });
    } catch {
      // Who could not take back what was shown must not be shown more of it.
      return false;
    }
    this.#resumed++;
    this.#runtime.events.emit("retry.resumed", call, { attempt, how, reason, given });
    return true;
  }

  // The budget comes last: it must not pay for a retry that is not made.
  #reasonToStop(call: Call, fault: Fault, attempt: number, pause: Pause): GaveUp | undefined {
    if (attempt >= this.#settings.attempts) return "attempts";
    if (pause.ms > LONGEST_PAUSE_MS) return "too_long";
    if (this.#runtime.clock.now() + pause.ms >= call.admitBy) return "deadline";
    if (this.#budget !== undefined && !this.#budget.spend(call.provider, fault)) return "budget";
    return undefined;
  }

  async #pause(call: Call, fault: Fault, attempt: number, { ms, source }: Pause): Promise<Fault | undefined> {
    const { clock, events } = this.#runtime;
    events.emit("retry.scheduled", call, { attempt, delayMs: ms, reason: fault.kind, source });
    const pausedAt = clock.now();
    const { cancellation, release } = call.cancellation.child();
    const off = this.#closing.onCancel((reason) => cancellation.cancel(reason));
    const paused = call.with({ cancellation });
    const seat = ms > LONG_WAIT_MS && this.#away < AWAY_MAX && call.trace.seat?.leave() ? call.trace.seat : undefined;
    if (seat !== undefined) this.#away++;
    const left = await sleep(this.#runtime, paused, ms);
    if (seat !== undefined) this.#away--;
    const now = clock.now();
    call.trace.waited(now, "retry", "backoff", now - pausedAt);
    const stopped = left ?? (await seat?.take(paused));
    release();
    off();
    return stopped;
  }

  #rewardWhenWhole(call: Call, reply: Reply): void {
    if (this.#budget === undefined) return;
    reply.settled.subscribe((settlement) => {
      if (settlement.fault === undefined) this.#budget?.succeeded(call.provider);
    });
  }
}
