/** What measuring costs per chunk of a stream: the same streams with and without a monitor. */
import { ChunkStream, createRuntime, pipeline, type Runtime, streamReply, whole } from "../../src/core/index.ts";
import { createMonitor } from "../../src/monitor/index.ts";
import { callOf } from "../../test/support/calls.ts";
import { median } from "../measure.ts";

const STREAMS = 200;
const CHUNKS = 1_000;
const ROUNDS = 7;

// Processor time: what else the machine does is not counted.
function cpuNanoseconds(since: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(since);
  return (user + system) * 1000;
}

async function streams(runtime: Runtime): Promise<number> {
  const line = pipeline({ name: "pass", ring: "call", runtime, handle: (call, next) => next(call) });
  const startedAt = process.cpuUsage();
  for (let index = 0; index < STREAMS; index++) {
    let rest = CHUNKS;
    const pull = async () => (rest-- > 0 ? ({ role: "content", value: 1 } as const) : whole());
    const send = async () => streamReply(new ChunkStream({ pull, cancel: () => {} }));
    const outcome = await line.execute(callOf(runtime, send, { stream: true }));
    if (!outcome.ok || outcome.body.kind !== "stream") throw new Error("no stream");
    while ((await outcome.body.next()) !== undefined);
  }
  return cpuNanoseconds(startedAt) / (STREAMS * CHUNKS);
}

const bare = createRuntime();
const monitored = createRuntime();
const monitor = createMonitor(monitored, { defaultAlerts: true });
const times = { bare: [] as number[], monitor: [] as number[] };
for (let round = 0; round <= ROUNDS; round++) {
  const [without, within] = [await streams(bare), await streams(monitored)];
  if (round === 0) continue;
  times.bare.push(without);
  times.monitor.push(within);
}
monitor.close();
const [without, within] = [median(times.bare), median(times.monitor)];
console.log(`no monitor  ${without.toFixed(0).padStart(6)} ns a chunk`);
console.log(`monitor     ${within.toFixed(0).padStart(6)} ns a chunk  ${(within / without).toFixed(2)} x`);
const share = ((within - without) * 100_000) / 1e7;
console.log(`at 1,000 streams of 100 chunks a second: ${share.toFixed(2)} % of a core`);
