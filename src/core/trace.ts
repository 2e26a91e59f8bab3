import type { FaultKind } from "./fault.ts";
import type { Certainty } from "./ledger.ts";
import type { ServedBy, Usage } from "./reply.ts";
import type { Seat } from "./seat.ts";
import { sumOfUsage } from "./tokens-spent.ts";

/**
 * Why a request goes to the provider: the call's first, one after a failure, a second one beside a slow first, or the
 * first at another target than the call was sent to before.
 */
export type AttemptKind = "first" | "retry" | "hedge" | "fallback";

/** Who gave an answer that the provider was asked for: the wanted target, another one, or a second try beside the first. */
export type AnsweredBy = "primary" | "fallback" | "hedge";

/** One try at the provider. Times are the clock's milliseconds. */
export interface AttemptRecord {
  readonly number: number;
  readonly kind: AttemptKind;
  /** When the request left us, after every wait. */
  readonly sentAt: number;
  headAt?: number;
  firstContentAt?: number;
  endedAt?: number;
  status?: number;
  fault?: FaultKind;
  usage?: Usage;
}

/** What a policy did to a call: a word, how long it took, and a short detail that holds no prompt text. */
export interface TraceStep {
  /** Milliseconds since the call began. */
  readonly atMs: number;
  readonly policy: string;
  readonly what: string;
  readonly ms: number | undefined;
  readonly detail: string | number | undefined;
}

export type WaitKind = "queue" | "throttle" | "rateLimit" | "backoff";

/** What `explain` tells of one call. */
export interface Explanation {
  readonly callId: string;
  readonly provider: string;
  readonly model: string;
  readonly operation: string;
  readonly servedBy: ServedBy | undefined;
  readonly tier: string | undefined;
  /** The key of the question's cache entry, for `invalidateKey`; absent when the cache was not used. */
  readonly cacheKey: string | undefined;
  readonly outcome: "answered" | "failed" | "cancelled" | "running";
  readonly durationMs: number | undefined;
  readonly waits: Readonly<Record<WaitKind, number>>;
  readonly attempts: readonly Readonly<AttemptRecord>[];
  readonly steps: readonly TraceStep[];
  /** Steps that were not kept because the trace is bounded. */
  readonly droppedSteps: number;
}

const STEPS_MAX = 64;
const ATTEMPTS_MAX = 32;

/** The record of one call, shared by all its copies. Bounded, and free of prompt text. */
export class Trace {
  readonly startedAt: number;
  readonly waits: Record<WaitKind, number> = { queue: 0, throttle: 0, rateLimit: 0, backoff: 0 };
  attempts: AttemptRecord[] = [];
  attemptCount = 0;
  /** Time with at least one request at the provider; of those that have ended. */
  providerMs = 0;
  /** When the caller had the first content that the provider was asked for. */
  firstContentAt: number | undefined;
  /** Whether the call was moved to another target than the wanted one. */
  fellBack = false;
  tier: string | undefined;
  cacheKey: string | undefined;
  servedBy: ServedBy | undefined;
  outcome: Explanation["outcome"] = "running";
  endedAt: number | undefined;
  /** The call's slot, from the pool inwards. */
  seat: Seat | undefined;
  #steps: TraceStep[] | undefined;
  #dropped = 0;
  #underWay = 0;
  #busySince = 0;
  #spent: Usage | undefined;
  #counted = true;
  #answer: AttemptRecord | undefined;

  constructor(startedAt: number) {
    this.startedAt = startedAt;
  }

  step(now: number, policy: string, what: string, ms?: number, detail?: string | number): void {
    this.#steps ??= [];
    if (this.#steps.length >= STEPS_MAX) this.#dropped++;
    else this.#steps.push({ atMs: now - this.startedAt, policy, what, ms, detail });
  }

  /** Adds a wait to its total and, when it was one, as a step. */
  waited(now: number, policy: string, kind: WaitKind, ms: number): void {
    this.waits[kind] += ms;
    if (ms > 0) this.step(now, policy, "waited", ms);
  }

  /** Opens the record of the next attempt. */
  attempt(now: number, kind: AttemptKind): AttemptRecord {
    const record: AttemptRecord = { number: ++this.attemptCount, kind, sentAt: now };
    if (this.attempts.length < ATTEMPTS_MAX) this.attempts.push(record);
    if (this.#underWay++ === 0) this.#busySince = now;
    return record;
  }

  /** Closes the record of an attempt, and adds what it took to what the call took. */
  attemptEnded(record: AttemptRecord, now: number, fault: FaultKind | undefined, usage: Usage | undefined): void {
    record.endedAt = now;
    if (fault !== undefined) record.fault = fault;
    else this.#answer = record;
    if (--this.#underWay === 0) this.providerMs += now - this.#busySince;
    if (usage !== undefined) {
      record.usage = usage;
      this.#spent = this.#spent === undefined ? usage : sumOfUsage(this.#spent, usage);
    }
    if (mayHaveTakenMore(record)) this.#counted = false;
  }

  /** Tokens that the provider counted for this call so far, all attempts; `undefined` when it told of none. */
  get spent(): Usage | undefined {
    return this.#spent;
  }

  /** `exact` when the provider told all that the attempts took, `atLeast` when one was cut short or told nothing. */
  get certainty(): Exclude<Certainty, "estimated"> {
    return this.#counted && this.#underWay === 0 ? "exact" : "atLeast";
  }

  /** Who gave the answer, when it came from the provider. */
  get answeredBy(): AnsweredBy {
    if (this.#answer?.kind === "hedge") return "hedge";
    return this.fellBack ? "fallback" : "primary";
  }

  /** Time with at least one request at the provider, until now. */
  busyMs(now: number): number {
    return this.providerMs + (this.#underWay > 0 ? now - this.#busySince : 0);
  }

  explain(call: { id: string; provider: string; model: string; operation: string }): Explanation {
    return {
      callId: call.id,
      provider: call.provider,
      model: call.model,
      operation: call.operation,
      servedBy: this.servedBy,
      tier: this.tier,
      cacheKey: this.cacheKey,
      outcome: this.outcome,
      durationMs: this.endedAt === undefined ? undefined : this.endedAt - this.startedAt,
      waits: { ...this.waits },
      attempts: this.attempts.map((record) => ({ ...record })),
      steps: [...(this.#steps ?? [])],
      droppedSteps: this.#dropped,
    };
  }
}

// What the provider turned down took nothing; what it had begun to answer, or we stopped waiting for, took something.
function mayHaveTakenMore({ fault, usage, firstContentAt, headAt }: AttemptRecord): boolean {
  if (fault === undefined) return usage === undefined;
  if (firstContentAt !== undefined || fault === "aborted" || fault === "timeout" || fault === "interrupted")
    return true;
  return fault === "refused" && headAt !== undefined;
}
