// Eight processes and one quota over a real Redis: 100 calls/s allowed, 200 asked for, 70 % of them in one process, clocks
// two minutes apart; beside a GCRA in Redis that is asked for each call, and a fixed part for each process. Then the cost
// of a decision on what is held. Needs redis-server. Run with: node --expose-gc bench/flow/cluster.ts
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { createClient } from "@redis/client";
import { cluster } from "../../src/cluster/index.ts";
import { createRuntime } from "../../src/core/index.ts";
import { mostBeyond, scriptRuns, skewedLoad, startLoad } from "../../test/cluster/load.ts";
import { startRedis } from "../../test/support/redis-server.ts";
import { medianMicroseconds } from "../measure.ts";

const PER_SECOND = 100;
const SETTLING_MS = 3_000;
// What is held is used up to 2 s late: in a shorter time that alone is some per cent.
const MEASURED_MS = 20_000;
const ANCHOR_MEASURED_MS = 8_000;
const ANCHORS = join(import.meta.dirname, "cluster-child.ts");

const server = await startRedis();
const client = createClient({ url: server.url });
await client.connect();

console.log(["", "used", "most in a minute", "commands/s"].map((title) => title.padStart(18)).join(""));
await sharing("breakwater", "leases:", MEASURED_MS);
await sharing("asked each call", "central:", ANCHOR_MEASURED_MS, ANCHORS);
await sharing("a part for each", "split:", ANCHOR_MEASURED_MS, ANCHORS);
await deciding();

client.destroy();
await server.stop();

async function sharing(name: string, namespace: string, measuredMs: number, program?: string): Promise<void> {
  const load = await startLoad(skewedLoad(server.url, namespace, PER_SECOND), program);
  await sleep(SETTLING_MS);
  const [from, runsBefore] = [Date.now(), await scriptRuns(client)];
  await sleep(measuredMs);
  const [to, runs] = [Date.now(), (await scriptRuns(client)) - runsBefore];
  await load.stop();
  const seconds = (to - from) / 1_000;
  const used = load.countBetween(from, to) / (seconds * PER_SECOND);
  // How far the worst window went beyond the limit, on top of a minute that is used to the full where that is so.
  const most = Math.min(1, used) + mostBeyond(PER_SECOND / 1_000, load.admitted) / (60 * PER_SECOND);
  const cells = [used.toFixed(3), most.toFixed(3), (runs / seconds).toFixed(1)];
  console.log([name, ...cells].map((cell) => cell.padStart(18)).join(""));
}

async function deciding(): Promise<void> {
  const runtime = createRuntime();
  const { clock } = runtime;
  const member = cluster({ url: server.url, namespace: "decide:", burst: "60s" }).open(runtime);
  const call = { requests: 1, tokens: 1_000, inputTokens: 800, outputTokens: 200 };
  const limits = [
    { unit: "requests", windowMs: 60_000, limit: 1e12 },
    { unit: "tokens", windowMs: 60_000, limit: 1e15 },
  ] as const;
  const holder = { widened: () => {}, waiting: () => ({ ...call, requests: 1e8, tokens: 1e11 }) };
  const share = member.quotas.share("global", limits, holder);
  share.delay(call, clock.now());
  await sleep(500);
  const decide = async (): Promise<void> => {
    const now = clock.now();
    if (share.delay(call, now) === 0) share.take(call, now);
    else await sleep(1);
  };
  const redis = await client.scriptLoad("return 0");
  const micros = await medianMicroseconds({
    held: { calls: 100_000, run: decide },
    asked: { calls: 2_000, run: () => client.evalSha(redis) },
  });
  const [held, asked] = [micros["held"] ?? Number.NaN, micros["asked"] ?? Number.NaN];
  console.log(`\na decision on what is held, two limits: ${held.toFixed(2)} us`);
  console.log(
    `a script that does nothing:             ${asked.toFixed(0)} us, ${(asked / held).toFixed(0)} times as long`,
  );
  await member.close();
}
