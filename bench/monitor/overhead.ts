/**
 * What the monitor adds to a call: processor time and garbage. The anchor is the same loop with a bus that does nothing:
 * asking it (off), and building the payloads for it too (on).
 */
import { setFlagsFromString } from "node:v8";
import { Histogram, Registry } from "prom-client";
import { createRuntime, type EventBus, type EventMap } from "../../src/core/index.ts";
import { createMonitor } from "../../src/monitor/index.ts";
import { median } from "../measure.ts";

setFlagsFromString("--expose-gc");
const CALLS = 300_000;
const FEW_CALLS = 2_000;
const ROUNDS = 9;
const BOUNDS = Array.from({ length: 17 }, (_, octave) => 0.01 * 2 ** octave);

// The bus reads four fields of a call and nothing else.
const CALLS_AT_A_TIME = 8;
const underWay = Array.from(
  { length: CALLS_AT_A_TIME },
  (_, n) => ({ id: `c${n}`, operation: "chat", provider: "openai", model: "gpt-5" }) as never,
);
const waits = { queue: 0, throttle: 0, rateLimit: 0, backoff: 0 };

function attempt(index: number): EventMap["attempt.completed"] {
  const usage = { inputTokens: 500, outputTokens: 40 };
  const how = { attempt: 1, kind: "first", firstContentMs: undefined, status: 200, responseModel: "gpt-5-1" } as const;
  return { ...how, durationMs: 800 + (index % 97), usage };
}

function end(index: number): EventMap["call.completed"] {
  return {
    durationMs: 812 + (index % 97),
    providerMs: 800,
    waits,
    attempts: 1,
    stream: false,
    priority: 5,
    client: undefined,
    route: undefined,
    firstChunkMs: undefined,
    usage: undefined,
    usageCertainty: undefined,
    servedBy: "upstream",
    answeredBy: "primary",
    tier: undefined,
    responseModel: "gpt-5-1",
    finishReasons: undefined,
  };
}

// Processor time: what else the machine does is not counted.
function cpuNanoseconds(since: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(since);
  return (user + system) * 1000;
}

type Bus = Pick<EventBus, "wants" | "emit">;

function tell(events: Bus, calls: number): void {
  for (let index = 0; index < calls; index++) {
    // Each call ends when seven others have begun.
    const call = underWay[index % CALLS_AT_A_TIME];
    if (events.wants("attempt.completed")) events.emit("attempt.completed", call, attempt(index));
    if (events.wants("call.completed")) events.emit("call.completed", call, end(index));
    if (events.wants("call.started")) {
      events.emit("call.started", call, { stream: false, priority: 5, client: undefined });
    }
  }
}

/** Bytes of a few calls, too few for a collection to begin on its own. */
function allocated(events: Bus): number {
  globalThis.gc?.();
  const heap = process.memoryUsage().heapUsed;
  tell(events, FEW_CALLS);
  return (process.memoryUsage().heapUsed - heap) / FEW_CALLS;
}

function nanoseconds(events: Bus): number {
  const startedAt = process.cpuUsage();
  tell(events, CALLS);
  return cpuNanoseconds(startedAt) / CALLS;
}

const listened = createRuntime().events;
for (const type of ["call.started", "attempt.completed", "call.completed"] as const) listened.on(type, () => {});
const monitored = createRuntime();
const monitor = createMonitor(monitored, { prices: { "gpt-5": { input: 1.25, output: 10 } }, defaultAlerts: true });

const runs = {
  "no bus, off": { wants: () => false, emit: () => {} },
  "nobody listens": createRuntime().events,
  "no bus, payloads": { wants: () => true, emit: () => {} },
  monitor: monitored.events,
  "empty listeners": listened,
} satisfies Record<string, Bus>;
type Name = keyof typeof runs;
const times = new Map<string, number[]>();
const garbage = new Map<string, number[]>();
for (let round = 0; round <= ROUNDS; round++) {
  for (const [name, events] of Object.entries(runs)) {
    const ns = nanoseconds(events);
    const bytes = allocated(events);
    if (round === 0) continue;
    times.set(name, [...(times.get(name) ?? []), ns]);
    garbage.set(name, [...(garbage.get(name) ?? []), bytes]);
  }
}
monitor.close();

const registry = new Registry();
const labelNames = ["op", "provider", "model"];
const theirs = new Histogram({ name: "seconds", help: "-", labelNames, registers: [registry], buckets: BOUNDS });
const observed: number[] = [];
for (let round = 0; round <= ROUNDS; round++) {
  const startedAt = process.cpuUsage();
  for (let index = 0; index < CALLS; index++) {
    theirs.observe({ op: "chat", provider: "openai", model: "gpt-5" }, 0.8 + (index % 97) / 1_000);
  }
  if (round > 0) observed.push(cpuNanoseconds(startedAt) / CALLS);
}

const ns = (name: Name): number => median(times.get(name) ?? []);
const bytes = (name: Name): number => median(garbage.get(name) ?? []);
for (const name of Object.keys(runs) as Name[]) {
  console.log(
    `${name.padEnd(18)} ${ns(name).toFixed(0).padStart(6)} ns a call ${bytes(name).toFixed(0).padStart(6)} B`,
  );
}
const added = (what: string, name: Name, anchor: Name): void => {
  const more = ns(name) - ns(anchor);
  const ratio = (ns(name) / ns(anchor)).toFixed(1);
  const garbageMore = Math.max(0, bytes(name) - bytes(anchor)).toFixed(0);
  console.log(
    `${what.padEnd(18)} ${more.toFixed(0).padStart(6)} ns a call ${garbageMore.padStart(6)} B  ${ratio} x ${anchor}`,
  );
};
console.log(`prom-client, one histogram, one value: ${median(observed).toFixed(0)} ns`);
added("off adds", "nobody listens", "no bus, off");
added("monitor adds", "monitor", "no bus, payloads");
