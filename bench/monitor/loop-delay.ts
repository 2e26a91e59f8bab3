/**
 * What the watch of the event loop's delay tells of blocks of a known length and of an idle loop, and what it costs the
 * idle process. The anchor is Node's own histogram of delays at its default of 10 ms.
 */
import { monitorEventLoopDelay } from "node:perf_hooks";
import { setTimeout as pause } from "node:timers/promises";
import { watchLoopDelay } from "../../src/system/index.ts";

const BLOCKS = 5;
const BLOCK_MS = 100;
const IDLE_MS = 8_000;

interface Told {
  readonly blockedMax: number;
  readonly idleP50: number;
  readonly cpu: number;
}

function block(ms: number): void {
  const until = performance.now() + ms;
  while (performance.now() < until);
}

/** Share of one processor that this process uses while it waits. */
async function idleCpu(): Promise<number> {
  const before = process.cpuUsage();
  await pause(IDLE_MS);
  const { user, system } = process.cpuUsage(before);
  return (user + system) / (IDLE_MS * 1_000);
}

async function measured(read: () => { max: number; p50: number } | undefined): Promise<Told> {
  await pause(100);
  read();
  for (let n = 0; n < BLOCKS; n++) {
    await pause(300);
    block(BLOCK_MS);
  }
  await pause(100);
  const blockedMax = read()?.max ?? Number.NaN;
  const cpu = await idleCpu();
  return { blockedMax, idleP50: read()?.p50 ?? 0, cpu };
}

const nothing = await idleCpu();
const nodes = monitorEventLoopDelay();
nodes.enable();
const theirs = await measured(() => {
  const told = { max: nodes.max / 1e6, p50: nodes.percentile(50) / 1e6 };
  nodes.reset();
  return told;
});
nodes.disable();
const rows: [string, Told][] = [["monitorEventLoopDelay(), 10 ms", theirs]];
for (const perIteration of [true, false]) {
  const watch = watchLoopDelay({ perIteration });
  const told = await measured(() => {
    const delay = watch.read();
    return delay && { max: delay.max * 1_000, p50: delay.p50 * 1_000 };
  });
  watch.close();
  rows.push([perIteration ? "Breakwater, by turn where Node can" : "Breakwater, by a timer of 20 ms", told]);
}

console.log(`Node ${process.version}; ${BLOCKS} blocks of ${BLOCK_MS} ms, then ${IDLE_MS / 1_000} s of nothing`);
console.log(`${"".padEnd(36)}max ms (95 to 125)   idle p50 ms (< 2)   CPU when idle (<= 0.3 %)`);
for (const [what, { blockedMax, idleP50, cpu }] of rows) {
  const share = `${(100 * Math.max(0, cpu - nothing)).toFixed(3)} %`;
  console.log(
    `${what.padEnd(36)}${blockedMax.toFixed(1).padStart(18)}${idleP50.toFixed(2).padStart(20)}${share.padStart(27)}`,
  );
}
