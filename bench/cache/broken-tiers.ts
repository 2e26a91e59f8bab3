/**
 * A cache with a Redis or a SQLite tier and none above it, under load, while Redis is killed, frozen and brought back and the
 * SQLite file is overwritten with noise. Prints failed and hanging calls, the latency added while the tier is down, and
 * how soon hits come again.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createOptimizer, redis, sqlite } from "../../src/index.ts";
import { startRedis } from "../../test/support/redis-server.ts";

const CALLS_PER_SECOND = 200;
const PROVIDER_MS = 20;
const folder = mkdtempSync(join(tmpdir(), "breakwater-chaos-"));

interface Sample {
  readonly at: number;
  readonly ms: number;
  readonly hit: boolean;
  readonly ok: boolean;
}

type Optimizer = ReturnType<typeof createOptimizer>;

/** Steady load on 50 questions for `seconds`, with `events` on the way. */
async function load(
  optimizer: Optimizer,
  seconds: number,
  events: readonly (readonly [atMs: number, run: () => unknown])[],
): Promise<Sample[]> {
  const samples: Sample[] = [];
  const startedAt = performance.now();
  const open = new Set<Promise<void>>();
  const pending = [...events];
  const one = async (n: number): Promise<void> => {
    const from = performance.now();
    let hit = true;
    const ok = await optimizer
      .call({ model: "m", input: n % 50, temperature: 0 }, async () => {
        hit = false;
        await new Promise((resolve) => setTimeout(resolve, PROVIDER_MS));
        return { answer: n % 50 };
      })
      .then(
        ({ answer }) => answer === n % 50,
        () => false,
      );
    samples.push({ at: from - startedAt, ms: performance.now() - from, hit, ok });
  };
  for (let n = 0; n < seconds * CALLS_PER_SECOND; n++) {
    const due = startedAt + (n * 1000) / CALLS_PER_SECOND;
    if (due > performance.now())
      await new Promise((resolve) => setTimeout(resolve, Math.max(0, due - performance.now())));
    while (pending[0] !== undefined && performance.now() - startedAt >= pending[0][0]) void pending.shift()?.[1]();
    const call = one(n);
    open.add(call);
    void call.finally(() => open.delete(call));
  }
  const limit = new Promise<void>((resolve) => setTimeout(resolve, 5000));
  await Promise.race([Promise.allSettled(open), limit]);
  console.log(`  ${samples.length} calls, ${samples.filter(({ ok }) => !ok).length} failed, ${open.size} hanging`);
  return samples;
}

/** p99 of the same load without a cache, which is what a tier that is down should come to. */
let uncached = PROVIDER_MS;

function percentile99(samples: readonly Sample[]): number {
  const sorted = samples.map(({ ms }) => ms).sort((a, b) => a - b);
  return sorted[Math.ceil(sorted.length * 0.99) - 1] ?? 0;
}

function report(samples: readonly Sample[], downFrom: number, downTo: number): void {
  const down = samples.filter(({ at }) => at >= downFrom && at < downTo);
  const back = samples.find(({ at, hit }) => at >= downTo && hit);
  console.log(
    `  while down: p99 ${percentile99(down).toFixed(1)} ms, ${(percentile99(down) - uncached).toFixed(1)} ms more than without a cache; ` +
      `first hit ${back === undefined ? "never" : `${((back.at - downTo) / 1000).toFixed(2)} s`} after the return`,
  );
}

const coalesceOff = { coalesce: false, environment: {} } as const;

console.log("no cache");
const plain = createOptimizer({ ...coalesceOff, cache: false });
uncached = percentile99(await load(plain, 3, []));
console.log(`  p99 ${uncached.toFixed(1)} ms`);
await plain.close();

for (const [name, down, up] of [
  ["Redis killed", "kill", "restart"],
  ["Redis frozen", "pause", "resume"],
] as const) {
  console.log(name);
  const server = await startRedis();
  const optimizer = createOptimizer({ ...coalesceOff, cache: { tiers: [redis({ url: server.url })] } });
  const samples = await load(optimizer, 12, [
    [4000, () => server[down]()],
    [7000, () => server[up]()],
  ]);
  report(samples, 4000, 7000);
  await optimizer.close();
  await server.stop();
}

console.log("SQLite file overwritten");
const path = join(folder, "cache.db");
const optimizer = createOptimizer({ ...coalesceOff, cache: { tiers: [sqlite({ path })] } });
report(await load(optimizer, 6, [[3000, () => writeFileSync(path, Buffer.alloc(65_536, 0xa5))]]), 3000, 3050);
await optimizer.close();
rmSync(folder, { recursive: true });
process.exit(0);
