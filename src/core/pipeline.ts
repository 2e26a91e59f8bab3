import type { Call } from "./call.ts";
import { reportEnd, watchReply } from "./call-report.ts";
import { PipelineError } from "./errors.ts";
import { type Fault, faultOf } from "./fault.ts";
import type { Next, Policy, Ring } from "./policy.ts";
import { broken, type Outcome, type Settlement } from "./reply.ts";
import { defaultRuntime, type Runtime } from "./runtime.ts";
import type { AttemptKind } from "./trace.ts";

/** A line of policies, ready for calls. */
export interface Line {
  /** Outermost first. */
  readonly policies: readonly Policy[];
  readonly runtime: Runtime;
  /** Sends `call` through the policies to its `send`. Never throws. */
  execute(call: Call): Promise<Outcome>;
  /** Closes every policy. Rejects with the first failure after all have been tried. */
  close(): Promise<void>;
}

const RING_ORDER: Readonly<Record<Ring, number>> = { call: 0, border: 1, race: 2, attempt: 3 };

const ROLES: Readonly<Record<Ring, string>> = {
  call: "runs once per call",
  border: "makes the attempts",
  race: "runs attempts side by side",
  attempt: "runs once per attempt",
};
const VERBS = { border: "retry", race: "hedge" } as const;

/**
 * Joins policies into a line: `pipeline(a, b, c)` runs `a(b(c(send)))`, so the first listed is outermost.
 *
 * Call-ring policies (deadline, cache, coalesce, pool) come first, then at most one retry, at most one hedge, and then
 * attempt-ring policies (breaker, throttle, rateLimit, timeout).
 *
 * Throws {@link PipelineError} for a policy in the wrong ring, a second retry or hedge, or policies of different
 * runtimes.
 */
export function pipeline(...policies: readonly Policy[]): Line {
  checkOrder(policies);
  const runtime = commonRuntime(policies);
  const { events } = runtime;

  let first: Next = (call) => recordedSend(runtime, call);
  for (const policy of policies.toReversed()) first = layer(policy, first);

  return {
    policies,
    runtime,
    async execute(call) {
      if (events.wants("call.started")) {
        events.emit("call.started", call, {
          stream: call.stream,
          priority: call.scope.priority,
          client: call.scope.client,
        });
      }
      const outcome = await first(call);
      if (outcome.ok) watchReply(runtime, call, outcome);
      else reportEnd(runtime, call, broken(outcome), undefined);
      return outcome;
    },
    async close() {
      // One that cannot close must not keep the others open.
      const closed = await Promise.allSettled(policies.map(async (policy) => policy.close?.()));
      const failed = closed.find((result) => result.status === "rejected");
      if (failed !== undefined) throw failed.reason;
    },
  };
}

function checkOrder(policies: readonly Policy[]): void {
  let reached: Policy | undefined;
  for (const policy of policies) {
    if (
      typeof policy?.handle !== "function" ||
      typeof policy.name !== "string" ||
      !Object.hasOwn(RING_ORDER, policy.ring)
    ) {
      throw new PipelineError(
        "pipeline() takes policies: objects with `name`, `ring` (call, border, race or attempt) and `handle(call, next)`.",
      );
    }
    if (reached !== undefined && RING_ORDER[policy.ring] < RING_ORDER[reached.ring]) {
      throw new PipelineError(
        `"${policy.name}" ${ROLES[policy.ring]} and must stand before "${reached.name}", which ${ROLES[reached.ring]}.`,
      );
    }
    if (policy.ring === reached?.ring && (policy.ring === "border" || policy.ring === "race")) {
      throw new PipelineError(
        `"${reached.name}" and "${policy.name}" would both ${VERBS[policy.ring]}: exactly one policy may. Remove one of them.`,
      );
    }
    reached = policy;
  }
}

function commonRuntime(policies: readonly Policy[]): Runtime {
  let runtime: Runtime | undefined;
  for (const policy of policies) {
    if (policy.runtime === undefined) continue;
    if (runtime !== undefined && policy.runtime !== runtime) {
      throw new PipelineError(
        `"${policy.name}" was built with another runtime than the policies before it; give all of them the same one.`,
      );
    }
    runtime = policy.runtime;
  }
  return runtime ?? defaultRuntime();
}

// A policy that breaks its contract and throws must not take the leases of the outer ones with it.
function layer(policy: Policy, next: Next): Next {
  return (call) => {
    try {
      return policy.handle(call, next).catch(crashed);
    } catch (error) {
      return Promise.resolve(crashed(error));
    }
  };
}

function crashed(error: unknown): Fault {
  return faultOf({ kind: "unknown", error });
}

/** A first try of a call that has asked before is one at another target. */
function kindOf({ attemptKind, trace }: Call): AttemptKind {
  return attemptKind === "first" && trace.attemptCount > 0 ? "fallback" : attemptKind;
}

async function recordedSend({ clock, events }: Runtime, call: Call): Promise<Outcome> {
  const kind = kindOf(call);
  const record = call.trace.attempt(clock.now(), kind);
  if (events.wants("attempt.started")) events.emit("attempt.started", call, { attempt: record.number, kind });
  let outcome: Outcome;
  try {
    outcome = await call.send(call);
  } catch (error) {
    outcome = crashed(error);
  }
  const finish = (settlement: Settlement): void => {
    const { fault, usage } = settlement;
    const now = clock.now();
    const durationMs = now - record.sentAt;
    call.trace.attemptEnded(record, now, fault?.kind, usage);
    if (fault !== undefined) {
      if (events.wants("attempt.failed")) {
        events.emit("attempt.failed", call, {
          attempt: record.number,
          kind,
          durationMs,
          errorType: fault.kind,
          status: fault.status,
          retryAfterMs: fault.retryAfterMs,
          usage,
        });
      }
    } else if (events.wants("attempt.completed")) {
      events.emit("attempt.completed", call, {
        attempt: record.number,
        kind,
        durationMs,
        firstContentMs: record.firstContentAt === undefined ? undefined : record.firstContentAt - record.sentAt,
        status: record.status ?? 0,
        usage,
        responseModel: settlement.model,
      });
    }
  };
  if (!outcome.ok) {
    if (outcome.status !== undefined) record.status = outcome.status;
    finish(broken(outcome));
    return outcome;
  }
  record.headAt = clock.now();
  record.status = outcome.head.status;
  if (outcome.body.kind === "stream") {
    outcome.body.observe({
      chunk: (chunk) => {
        if (chunk.role === "content") record.firstContentAt ??= clock.now();
      },
    });
  }
  outcome.settled.subscribe(finish);
  return outcome;
}
