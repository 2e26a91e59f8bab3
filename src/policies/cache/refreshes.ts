import {
  aborted,
  broken,
  Call,
  Cancellation,
  type Fault,
  type Outcome,
  PRIORITY_LEVELS,
  type Runtime,
  type Settlement,
} from "../../core/index.ts";
import type { CacheCounts } from "./counts.ts";
import { Pauses } from "./pauses.ts";

const REFRESHES_MAX = 64;
const LONGEST_MS = 5 * 60_000;
// What another process is asking for is looked for again after this.
const ELSEWHERE_MS = 100;
const FAILED_MS = 1000;
const FAILED_MAX_MS = 60_000;

export type RefreshReason = "stale" | "early";

/** Asks anew; `undefined` when another process does, or has kept a newer answer meanwhile. */
export type Refresh = (call: Call) => Promise<Outcome | undefined>;

/**
 * Answers that are asked for again while nobody waits for them: one for each question, at most 64 in all. Each is a call
 * of its own, with low priority and as much time as the one that gave rise to it; its caller may be long gone.
 */
export class Refreshes {
  readonly #running = new Map<string, Cancellation>();
  readonly #failed: Pauses;
  readonly #elsewhere: Pauses;
  readonly #counts: CacheCounts;
  readonly #runtime: Runtime;

  constructor(counts: CacheCounts, runtime: Runtime) {
    this.#failed = new Pauses(runtime.clock);
    this.#elsewhere = new Pauses(runtime.clock);
    this.#counts = counts;
    this.#runtime = runtime;
  }

  get running(): number {
    return this.#running.size;
  }

  /** Notes that asking for `key` failed: for 1 s, or up to a minute if the provider said so, nobody needs to try again. */
  failed(key: string, fault: Fault | undefined): void {
    this.#failed.add(key, Math.min(FAILED_MAX_MS, Math.max(FAILED_MS, fault?.retryAfterMs ?? 0)));
  }

  /** Whether asking for `key` failed a moment ago. */
  hasFailed(key: string): boolean {
    return this.#failed.has(key);
  }

  /** Begins one for `key`, unless one is running here or elsewhere, too many are, or asking failed a moment ago. */
  begin(key: string, original: Call, reason: RefreshReason, refresh: Refresh): void {
    if (this.#running.has(key) || this.#running.size >= REFRESHES_MAX) return;
    if (this.#failed.has(key) || this.#elsewhere.has(key)) return;
    const cancellation = new Cancellation();
    this.#running.set(key, cancellation);
    void this.#run(key, detached(original, cancellation, this.#runtime.clock.now()), reason, refresh);
  }

  /** Gives up all that are running. */
  close(): void {
    for (const cancellation of this.#running.values()) cancellation.cancel(new Error("The cache was closed."));
  }

  async #run(key: string, call: Call, reason: RefreshReason, refresh: Refresh): Promise<void> {
    const { clock, events } = this.#runtime;
    const startedAt = clock.now();
    const timer = clock.background(call.deadline - startedAt, () => {
      call.cancellation.cancel(new Error("The refresh took too long."));
    });
    const end = await endOf(call, refresh);
    timer.cancel();
    this.#running.delete(key);
    if (end === undefined) {
      this.#elsewhere.add(key, ELSEWHERE_MS);
      return;
    }
    const { outcome, settlement } = end;
    const ok = settlement.storable;
    this.#counts.refreshes++;
    if (!ok) {
      this.#counts.failedRefreshes++;
      this.failed(key, settlement.fault);
    }
    if (!events.wants("cache.refreshed")) return;
    // What another call asked for is in that one's account.
    const usage = outcome?.servedBy === "coalesced" ? undefined : settlement.usage;
    events.emit("cache.refreshed", call, {
      reason,
      durationMs: clock.now() - startedAt,
      ok,
      usage,
      responseModel: settlement.model,
    });
  }
}

function detached(original: Call, cancellation: Cancellation, now: number): Call {
  const { deadline, trace, scope, variant } = original;
  const limitMs = deadline === Number.POSITIVE_INFINITY ? LONGEST_MS : deadline - trace.startedAt;
  const own = {
    ...scope,
    priority: Math.max(scope.priority, PRIORITY_LEVELS.low),
    deadlineMs: limitMs,
    // Policies within must not answer it from what they keep, either.
    directives: { ...scope.directives, maxAgeMs: 0 },
  };
  const call = Call.start({ ...original, scope: own, cancellation, headTimeoutMs: undefined }, now);
  return variant === 0 ? call : call.with({ variant });
}

interface End {
  readonly outcome: Extract<Outcome, { ok: true }> | undefined;
  readonly settlement: Settlement;
}

/** How it ended; at once when it is cancelled, even if nobody within listens. */
function endOf(call: Call, refresh: Refresh): Promise<End | undefined> {
  return new Promise((resolve) => {
    const off = call.cancellation.onCancel((reason) =>
      resolve({ outcome: undefined, settlement: broken(aborted(reason)) }),
    );
    void settled(call, refresh).then((end) => {
      off();
      resolve(end);
    });
  });
}

async function settled(call: Call, refresh: Refresh): Promise<End | undefined> {
  const outcome = await refresh(call);
  if (outcome === undefined) return undefined;
  if (!outcome.ok) return { outcome: undefined, settlement: broken(outcome) };
  const { body } = outcome;
  if (body.kind === "stream") while ((await body.next()) !== undefined);
  return { outcome, settlement: await outcome.settled.promise() };
}
