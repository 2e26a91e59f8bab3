import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { mostBeyond } from "./load.ts";
import { backMs, callersOf, countBetween, PER_SECOND, timesOf, waitOf } from "./virtual-load.ts";
import { VirtualServer } from "./virtual-server.ts";

const KEY = "breakwater:{quota:global}";

let server: VirtualServer;
beforeEach(async () => {
  server = await VirtualServer.start();
});
afterEach(() => server.stop());

/** The whole server as it was some time ago, on another machine whose clock is behind. */
async function failover(lagMs: number, behindMs: number): Promise<void> {
  const keys = [KEY, "breakwater:{cluster}:live", "breakwater:{cluster}:told"];
  await server.settle();
  const script = "return redis.call('COPY', KEYS[1], KEYS[2], 'REPLACE')";
  for (const key of keys) await server.command("EVAL", script, "2", key, `replica:${key}`);
  await server.pass(lagMs);
  server.goAway("refusing");
  await server.pass(1_000);
  for (const key of keys) await server.command("EVAL", script, "2", `replica:${key}`, key);
  server.forgetScripts();
  server.aheadMs -= behindMs;
  server.goAway(undefined);
}

const TROUBLES: readonly { readonly name: string; cause(): Promise<unknown> }[] = [
  {
    name: "ends for half a minute and starts empty",
    cause: async () => {
      server.goAway("refusing");
      await server.pass(30_000);
      await server.command("FLUSHALL");
      server.forgetScripts();
      server.goAway(undefined);
    },
  },
  { name: "loses its keys", cause: () => server.command("FLUSHALL") },
  { name: "loses its scripts", cause: async () => server.forgetScripts() },
  {
    name: "is silent for five seconds",
    cause: async () => {
      server.goAway("paused");
      await server.pass(5_000);
      server.goAway(undefined);
    },
  },
  { name: "is replaced by one that is behind in state and in time", cause: () => failover(200, 5_000) },
];

describe.each(TROUBLES)("a server that $name", ({ cause }) => {
  it("makes nobody wait and nobody stuck, and is used again soon", async () => {
    const { opened, callers } = await callersOf(server, 8, PER_SECOND / 2);
    const from = server.clock.now();
    await cause();
    expect(await backMs(server, opened)).toBeLessThanOrEqual(2_000);
    await server.pass(3_000);
    expect(waitOf(callers, from, server.clock.now(), 0.99)).toBeLessThanOrEqual(50);
    for (const caller of callers) caller.stop();
    await server.pass(100);
    expect(callers.map(({ waiting }) => waiting)).toEqual(callers.map(() => 0));
    expect(opened.map(({ member }) => member.snapshot().processes)).toEqual(opened.map(() => 8));
  });

  it("lets no more through than the limit and a tenth when twice as many calls come, and all of the limit after", async () => {
    const { opened, callers } = await callersOf(server, 8, 2 * PER_SECOND);
    const from = server.clock.now();
    await cause();
    const over = server.clock.now();
    await backMs(server, opened);
    // What has come early after a key was lost is missing a little later.
    await server.pass(5_000);
    const settled = server.clock.now();
    await server.pass(10_000);
    const times = timesOf(callers);
    if (over - from > 2_000) {
      expect(countBetween(times, from, over)).toBeLessThanOrEqual(1.1 * PER_SECOND * ((over - from) / 1_000));
    }
    // Two bursts, of a second together, and what was granted before all had said what they hold.
    expect(mostBeyond(PER_SECOND / 1_000, times)).toBeLessThanOrEqual(2 * PER_SECOND);
    expect(countBetween(times, settled, settled + 10_000)).toBeGreaterThanOrEqual(0.95 * 10 * PER_SECOND);
  });
});
