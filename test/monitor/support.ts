import type { Call, EventMap, FaultKind, Runtime, ServedBy, Usage } from "../../src/core/index.ts";
import { createMonitor, type Monitor, type MonitorOptions } from "../../src/monitor/index.ts";
import type { VirtualClock } from "../../src/testing/virtual-clock.ts";
import { answering, callOf, virtualRuntime } from "../support/calls.ts";

export interface Rig {
  readonly clock: VirtualClock;
  readonly runtime: Runtime;
  readonly monitor: Monitor;
  /** Every alert that was sent, in order. */
  readonly sent: EventMap["alert"][];
}

export function monitored(options: MonitorOptions = {}): Rig {
  const { clock, runtime } = virtualRuntime();
  const sent: EventMap["alert"][] = [];
  runtime.events.on("alert", (alert) => {
    sent.push(alert);
  });
  return { clock, runtime, monitor: createMonitor(runtime, options), sent };
}

/** A call that is never sent: events are about it. */
export function aCall(runtime: Runtime, model = "m", provider = "test"): Call {
  return callOf(runtime, answering(runtime, "unused"), { model, provider });
}

const NO_WAITS = { queue: 0, throttle: 0, rateLimit: 0, backoff: 0 };

export function endOf(durationMs: number, usage?: Usage) {
  const whose = { priority: 5, client: undefined, route: undefined };
  const spent = { usage, usageCertainty: usage === undefined ? undefined : ("exact" as const) };
  const how = { providerMs: durationMs, waits: NO_WAITS, attempts: 1, stream: false, firstChunkMs: undefined };
  return { ...how, ...whose, ...spent, durationMs };
}

/** Tells of a call that was answered. */
export function answered(
  runtime: Runtime,
  {
    durationMs = 100,
    model = "m",
    provider = "test",
    servedBy = "upstream" as ServedBy,
    usage = undefined as Usage | undefined,
  } = {},
): void {
  const call = aCall(runtime, model, provider);
  if (servedBy === "upstream" && usage !== undefined) {
    const how = {
      attempt: 1,
      kind: "first",
      status: 200,
      firstContentMs: undefined,
      responseModel: undefined,
    } as const;
    runtime.events.emit("attempt.completed", call, { ...how, durationMs, usage });
  }
  runtime.events.emit("call.completed", call, {
    ...endOf(durationMs, usage),
    servedBy,
    answeredBy: servedBy === "upstream" ? "primary" : servedBy,
    tier: undefined,
    responseModel: undefined,
    finishReasons: undefined,
  });
}

/** Tells of a call that failed. */
export function failed(runtime: Runtime, errorType: FaultKind = "server_error", durationMs = 100, model = "m"): void {
  runtime.events.emit("call.failed", aCall(runtime, model), {
    ...endOf(durationMs),
    errorType,
    status: undefined,
    refusedBy: undefined,
    committed: false,
    servedBy: undefined,
  });
}

/** Tells of an attempt: one that failed when `errorType` is given. */
export function attempted(runtime: Runtime, attempt = 1, errorType?: FaultKind): void {
  const common = { attempt, kind: attempt === 1 ? "first" : "retry", durationMs: 50 } as const;
  if (errorType === undefined) {
    const end = { ...common, firstContentMs: undefined, status: 200, usage: undefined, responseModel: undefined };
    runtime.events.emit("attempt.completed", aCall(runtime), end);
  } else {
    const end = { ...common, errorType, status: undefined, retryAfterMs: undefined, usage: undefined };
    runtime.events.emit("attempt.failed", aCall(runtime), end);
  }
}

/** Does something each second. */
export async function everySecond(clock: VirtualClock, seconds: number, fn: (second: number) => void): Promise<void> {
  for (let second = 0; second < seconds; second++) {
    fn(second);
    await clock.advance(1000);
  }
}
