import type { Call } from "./call.ts";
import { fingerprintedCall } from "./call-fingerprint.ts";
import type { CallAnsweredBy, Spent } from "./event-map.ts";
import type { Fault } from "./fault.ts";
import type { ChunkStream, Reply, Settlement } from "./reply.ts";
import type { Runtime } from "./runtime.ts";

export function watchReply(runtime: Runtime, call: Call, reply: Reply): void {
  const { clock, events } = runtime;
  call.trace.servedBy = reply.servedBy;
  if (reply.body.kind === "stream") watchContent(runtime, call, reply, reply.body);
  reply.settled.subscribe((settlement) => {
    const { fault } = settlement;
    if (reply.body.kind === "stream" && fault !== undefined && fault.kind !== "aborted") {
      const afterMs = clock.now() - call.trace.startedAt;
      events.emit("stream.interrupted", call, { chunks: reply.body.chunkCount, afterMs, reason: fault.kind });
    }
    reportEnd(runtime, call, settlement, reply);
  });
}

/** Tells when the caller has the first content, and measures the pauses after it. */
function watchContent({ clock, events }: Runtime, call: Call, reply: Reply, stream: ChunkStream): void {
  const { trace } = call;
  const meter = events.chunkMeter(call);
  // What was read ahead comes at once: there are no pauses within it.
  let isHeld = true;
  let contentAt = 0;
  stream.observe({
    chunk: ({ role }) => {
      if (role !== "content" || (meter === undefined && trace.firstContentAt !== undefined)) return;
      const now = clock.now();
      if (trace.firstContentAt === undefined) {
        if (reply.servedBy !== "upstream") return;
        trace.firstContentAt = now;
        if (events.wants("call.first_chunk")) {
          const attempt = trace.attempts.findLast(({ firstContentAt }) => firstContentAt !== undefined);
          events.emit("call.first_chunk", call, {
            ttfcMs: now - trace.startedAt,
            attempt: attempt?.number ?? trace.attemptCount,
          });
        }
      } else if (!isHeld) {
        meter?.(now - contentAt, now);
      }
      contentAt = now;
    },
  });
  isHeld = false;
}

export function reportEnd(
  { clock, events }: Runtime,
  call: Call,
  settlement: Settlement,
  reply: Reply | undefined,
): void {
  const { trace } = call;
  const { fault } = settlement;
  trace.endedAt = clock.now();
  trace.servedBy = reply?.servedBy;
  trace.outcome = fault === undefined ? "answered" : fault.kind === "aborted" ? "cancelled" : "failed";
  const type = fault === undefined ? "call.completed" : fault.kind === "aborted" ? "call.cancelled" : "call.failed";
  if (events.wantsByName("call.fingerprinted")) events.emit("call.fingerprinted", call, fingerprintedCall(call));
  if (!events.wants(type)) return;
  const end = {
    durationMs: trace.endedAt - trace.startedAt,
    providerMs: trace.busyMs(trace.endedAt),
    waits: trace.waits,
    attempts: trace.attemptCount,
    stream: call.stream,
    priority: call.scope.priority,
    client: call.scope.client,
    route: call.scope.route,
    firstChunkMs: trace.firstContentAt === undefined ? undefined : trace.firstContentAt - trace.startedAt,
    ...spentBy(call, settlement, reply),
  };
  if (fault === undefined) {
    events.emit("call.completed", call, {
      ...end,
      servedBy: reply?.servedBy ?? "upstream",
      answeredBy: answeredBy(call, reply),
      tier: trace.tier,
      responseModel: settlement.model,
      finishReasons: settlement.finishReasons,
    });
  } else if (fault.kind === "aborted") {
    events.emit("call.cancelled", call, end);
  } else {
    events.emit("call.failed", call, {
      ...end,
      errorType: fault.kind,
      status: fault.status,
      refusedBy: refusedBy(fault),
      committed: fault.committed,
      servedBy: reply?.servedBy,
    });
  }
}

function answeredBy({ trace }: Call, reply: Reply | undefined): CallAnsweredBy {
  const servedBy = reply?.servedBy ?? "upstream";
  return servedBy === "upstream" ? trace.answeredBy : servedBy;
}

/** What the provider counted for all attempts of the call; of an answer that was there already, what it had taken. */
function spentBy({ trace }: Call, { fault, usage }: Settlement, reply: Reply | undefined): Spent {
  const asked = reply === undefined || reply.servedBy === "upstream";
  const spent = (asked ? trace.spent : undefined) ?? usage;
  if (spent === undefined) return { usage: undefined, usageCertainty: undefined };
  if (!asked || trace.spent === undefined)
    return { usage: spent, usageCertainty: fault === undefined ? "exact" : "atLeast" };
  return { usage: spent, usageCertainty: trace.certainty };
}

function refusedBy(fault: Fault): string | undefined {
  return fault.kind === "refused" && typeof fault.error === "object" && fault.error !== null && "policy" in fault.error
    ? String(fault.error.policy)
    : undefined;
}
