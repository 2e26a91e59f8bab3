import { createClient } from "@redis/client";
import { expect, it } from "vitest";
import { startRedis } from "../support/redis-server.ts";
import { mostBeyond, scriptRuns, skewedLoad, startLoad } from "./load.ts";
import { until } from "./support.ts";

const PER_SECOND = 100;

it("eight processes, their clocks two minutes apart, share one quota by few commands, and each gets some of it", async () => {
  const server = await startRedis();
  const client = createClient({ url: server.url });
  await client.connect();
  const load = await startLoad(skewedLoad(server.url, "eight:", PER_SECOND));
  await until(() => load.processes.every((count) => count === 8));
  const [before, runsBefore] = [load.admitted.length, await scriptRuns(client)];
  await until(() => load.admitted.length - before > 3 * PER_SECOND);
  const [calls, runs] = [load.admitted.length - before, (await scriptRuns(client)) - runsBefore];
  await load.stop();
  // A burst and what may be held, in any window of whatever length; each for itself would be at twice the limit.
  expect(mostBeyond(PER_SECOND / 1_000, load.admitted)).toBeLessThan((0.5 + 2) * PER_SECOND);
  expect(runs).toBeLessThan(calls / 2);
  expect(load.admittedBy.filter((count) => count === 0)).toEqual([]);
  client.destroy();
  await server.stop();
});
