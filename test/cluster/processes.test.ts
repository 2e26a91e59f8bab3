import { createClient } from "@redis/client";
import { expect, it } from "vitest";
import { startRedis } from "../support/redis-server.ts";
import { mostBeyond, scriptRuns, skewedLoad, startLoad } from "./load.ts";
import { passing, until } from "./support.ts";

const PER_SECOND = 100;

it("eight processes, their clocks two minutes apart, use up one quota with few commands and no more of it", async () => {
  const server = await startRedis();
  const client = createClient({ url: server.url });
  await client.connect();
  const load = await startLoad(skewedLoad(server.url, "eight:", PER_SECOND));
  await until(() => load.processes.every((count) => count === 8));
  await passing(2_000);
  const [from, runsBefore] = [Date.now(), await scriptRuns(client)];
  await passing(6_000);
  const [to, runs] = [Date.now(), (await scriptRuns(client)) - runsBefore];
  await load.stop();

  const seconds = (to - from) / 1_000;
  expect(load.countBetween(from, to) / seconds).toBeGreaterThan(0.95 * PER_SECOND);
  // Two per cent of a minute, in any window of whatever length.
  expect(mostBeyond(PER_SECOND / 1_000, load.admitted)).toBeLessThan(0.02 * 60 * PER_SECOND);
  expect(runs / seconds).toBeLessThan(20);
  // All were let through in turn, not only those of the busiest.
  expect(Math.max(...load.waiting.slice(1))).toBeLessThan(60);
  client.destroy();
  await server.stop();
});
