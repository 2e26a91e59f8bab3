import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { Call, Cancellation, DEFAULT_SCOPE, type EventMap } from "../../src/core/index.ts";
import { createOptimizer, type Optimizer, type OptimizerOptions } from "../../src/index.ts";
import { VirtualClock } from "../../src/testing/index.ts";
import { jsonWire } from "../support/calls.ts";

export interface Rig {
  readonly clock: VirtualClock;
  readonly optimizer: Optimizer;
}

/** An optimizer in virtual time that nothing around it changes. */
export function rigged(options: OptimizerOptions = {}): Rig {
  const clock = new VirtualClock();
  return { clock, optimizer: createOptimizer({ environment: {}, clock, ...options }) };
}

export interface EndOptions extends Partial<EventMap["call.completed"]> {
  readonly model?: string;
  readonly provider?: string;
}

/** Tells of a call that was answered without making one. */
export function tellOfCall({ line }: Optimizer, { model = "m", provider = "test", ...given }: EndOptions = {}): void {
  const { events, clock } = line.runtime;
  const call = Call.start(
    {
      operation: "chat",
      provider,
      endpoint: "test://model",
      model,
      credential: "k",
      stream: false,
      request: {},
      wire: jsonWire,
      cancellation: new Cancellation(),
      inputChars: 4,
      maxOutputTokens: undefined,
      send: () => Promise.reject(new Error("It is never sent.")),
      scope: DEFAULT_SCOPE,
    },
    clock.now(),
  );
  events.emit("call.completed", call, {
    durationMs: 800,
    providerMs: 790,
    waits: { queue: 10, throttle: 0, rateLimit: 0, backoff: 0 },
    attempts: 1,
    stream: false,
    priority: 5,
    client: undefined,
    route: undefined,
    usage: { inputTokens: 500, outputTokens: 40 },
    usageCertainty: "exact",
    firstChunkMs: undefined,
    answeredBy: given.servedBy === "cache" ? "cache" : "primary",
    servedBy: "upstream",
    tier: undefined,
    responseModel: undefined,
    finishReasons: undefined,
    ...given,
  });
}

/** Logs and exports so many rows in a process whose heap has only so many megabytes. */
export async function exported(
  path: string,
  rows: number,
  heapMegabytes: number,
): Promise<{ lines: number; csvMegabytes: number; jsonMegabytes: number }> {
  const child = join(import.meta.dirname, "export-child.ts");
  const parameters = [`--max-old-space-size=${heapMegabytes}`, child, path, String(rows)];
  return JSON.parse((await promisify(execFile)(process.execPath, parameters)).stdout);
}
