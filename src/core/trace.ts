import type { FaultKind } from "./fault.ts";
import type { ServedBy, Usage } from "./reply.ts";

/** Why a request goes to the provider: the call's first, one after a failure, or a second one beside a slow first. */
export type AttemptKind = "first" | "retry" | "hedge";

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
  providerMs = 0;
  tier: string | undefined;
  cacheKey: string | undefined;
  servedBy: ServedBy | undefined;
  outcome: Explanation["outcome"] = "running";
  endedAt: number | undefined;
  #steps: TraceStep[] | undefined;
  #dropped = 0;

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
    return record;
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
