// One of several processes that share a quota: asks at a rate, and tells when it was let through.
import { cluster } from "../../src/cluster/index.ts";
import { type Clock, createRuntime, seededRandom, systemClock, valueReply, whole } from "../../src/core/index.ts";
import { rateLimit } from "../../src/policies/rate-limit/index.ts";
import { callOf } from "../support/calls.ts";
import type { LoadOrder } from "./load.ts";

export interface LoadSettings {
  readonly url: string;
  readonly namespace: string;
  readonly requestsPerMinute: number;
  readonly callsPerSecond: number;
  /** How wrong its clock is. */
  readonly clockOffMs: number;
  readonly seed: number;
}

/** What it tells from time to time. */
export interface LoadReport {
  /** When calls were let through, by the clock of the machine. */
  readonly admitted: readonly number[];
  readonly waiting: number;
  readonly central: boolean;
  readonly processes: number;
  /** How long each of them has waited, in milliseconds. */
  readonly waits: readonly number[];
  /** Why it has lost the server. */
  readonly lost: readonly string[];
}

const settings = JSON.parse(process.argv[2] ?? "") as LoadSettings;
const REPORT_EVERY_MS = 100;
const CLOCK_OFF_MAX_MS = 60_000;

const clock: Clock = {
  ...systemClock,
  // Never negative, as a monotonic clock is not.
  now: () => systemClock.now() + CLOCK_OFF_MAX_MS + settings.clockOffMs,
  wall: () => systemClock.wall() + settings.clockOffMs,
};
const random = seededRandom(settings.seed);
const runtime = createRuntime({ clock, random });
const member = cluster({ url: settings.url, namespace: settings.namespace }).open(runtime);
const limiter = rateLimit({ requestsPerMinute: settings.requestsPerMinute, maxQueue: 1_000_000 }, runtime);
limiter.share(member.quotas);

let admitted: number[] = [];
let waits: number[] = [];
let lost: string[] = [];
let waiting = 0;
runtime.events.on("cluster.lost", ({ reason }) => lost.push(reason));

function ask(): void {
  waiting++;
  const askedAt = performance.now();
  const call = callOf(runtime, async () => valueReply("ok", whole()));
  void limiter.handle(call, async () => {
    waiting--;
    admitted.push(Date.now());
    waits.push(performance.now() - askedAt);
    return valueReply("ok", whole());
  });
}

function askOnAndOn(): void {
  ask();
  nextAt += (-Math.log(1 - random()) * 1000) / settings.callsPerSecond;
  const ms = nextAt - performance.now();
  if (ms <= 0) setImmediate(askOnAndOn);
  else setTimeout(askOnAndOn, ms);
}

function report(): void {
  const { central, processes } = member.snapshot();
  if (!process.connected) return;
  process.send?.({ admitted, waits, waiting, central, processes, lost } satisfies LoadReport);
  admitted = [];
  waits = [];
  lost = [];
}

async function end(): Promise<void> {
  clearInterval(reporting);
  report();
  await member.close();
  process.exit();
}

let nextAt = performance.now();
const reporting = setInterval(report, REPORT_EVERY_MS);
process.on("message", (order: LoadOrder) => {
  if (order === "stop") return void end();
  nextAt = performance.now();
  askOnAndOn();
});
process.once("disconnect", () => void end());
