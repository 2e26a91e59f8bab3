import { createClient } from "@redis/client";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { DrawReply } from "../../src/cluster/protocol.ts";
import { DRAW } from "../../src/cluster/scripts.ts";
import { type RedisServer, startRedis } from "../support/redis-server.ts";
import { mostBeyond } from "./load.ts";
import { STARTED_AT, scriptAt } from "./virtual-server.ts";

const BURST_MS = 500;

let server: RedisServer;
let client: ReturnType<typeof createClient>;
beforeAll(async () => {
  server = await startRedis();
  client = createClient({ url: server.url });
  await client.connect();
});
afterAll(async () => {
  client.destroy();
  await server.stop();
});

let keys = 0;
/** The server's time, in milliseconds. */
let now = STARTED_AT;

interface Asked {
  readonly ask?: number;
  readonly need?: number;
  readonly change?: number;
  readonly debt?: number;
  readonly debtMs?: number;
  readonly flown?: number;
  readonly held?: number;
}

function evaluate(key: string, request: object): Promise<unknown> {
  const args = [JSON.stringify(request), String(BURST_MS), "channel", key];
  return client.sendCommand(["EVAL", scriptAt(now, DRAW), "1", key, ...args]);
}

/** One round trip as a process makes it; `at` is the server's time. */
async function draw(
  key: string,
  limits: string,
  units: Record<string, Asked>,
  birth = "",
): Promise<DrawReply & { readonly at: number }> {
  const reply = await evaluate(key, { birth, limits, told: false, units });
  return { ...(JSON.parse(String(reply)) as DrawReply), at: now };
}

function slotsOf({ at, grants }: DrawReply & { readonly at: number }, name: string): number[] {
  const { amount, fromMs, perMs } = grants[name] as { amount: number; fromMs: number; perMs: number };
  return Array.from({ length: amount }, (_, index) => Math.max(at, at + fromMs + (index + 1) / perMs));
}

describe("what the server grants", () => {
  it("lies, whoever asks for how much, within the limit and one burst of any time", async () => {
    const draws = fc.array(fc.integer({ min: 0, max: 40 }), { minLength: 1, maxLength: 30 });
    await fc.assert(
      fc.asyncProperty(draws, fc.integer({ min: 1, max: 500 }), async (asks, limit) => {
        const key = `grants${keys++}`;
        const slots: number[] = [];
        for (const ask of asks) {
          now += ask;
          const reply = await draw(key, `requests/1000=${limit}`, { "requests/1000": { ask } });
          slots.push(...slotsOf(reply, "requests/1000"));
        }
        slots.sort((a, b) => a - b);
        const burst = Math.max(1, (limit * BURST_MS) / 1000);
        expect(slots.length).toBe(asks.reduce((sum, ask) => sum + ask, 0));
        expect(mostBeyond(limit / 1000, slots)).toBeLessThan(burst + 1.01);
      }),
      { numRuns: 40 },
    );
  });

  it("comes at once from a key that it does not have, less what is held by who knows an earlier one", async () => {
    const fresh = await draw(`fresh${keys++}`, "requests/1000=100", { "requests/1000": { ask: 1 } });
    expect(fresh.grants["requests/1000"]?.fromMs).toBe(-BURST_MS);
    const key = `lost${keys++}`;
    const first = await draw(key, "requests/1000=100", { "requests/1000": { ask: 1, held: 150 } }, "an earlier one");
    expect(first.grants["requests/1000"]?.fromMs).toBe(1_500 - BURST_MS);
    const again = await draw(key, "requests/1000=100", { "requests/1000": { ask: 1, held: 150 } }, first.birth);
    expect(again.grants["requests/1000"]?.fromMs).toBeLessThan(1_520 - BURST_MS);
    const other = await draw(key, "requests/1000=100", { "requests/1000": { ask: 1, held: 50 } }, "an earlier one");
    expect(other.grants["requests/1000"]?.fromMs).toBeGreaterThan(1_900 - BURST_MS);
  });

  it("keeps the level in units when the limit changes", async () => {
    const key = `changed${keys++}`;
    await draw(key, "requests/60000=600", { "requests/60000": { ask: 600 } });
    const request = { birth: "", limits: "requests/60000=1200", told: true, units: { "requests/60000": { ask: 1 } } };
    const changed = await evaluate(key, request);
    const { limits, grants } = JSON.parse(String(changed)) as DrawReply;
    expect(limits).toBe("requests/60000=1200");
    // 600 units now flow off in half a minute.
    expect(grants["requests/60000"]?.fromMs).toBeGreaterThan(29_000);
    expect(grants["requests/60000"]?.fromMs).toBeLessThan(30_000);
  });

  it("is later by what was used while the server was away, unless nobody else has used it", async () => {
    const name = "requests/1000";
    const idle = `idle${keys++}`;
    await draw(idle, `${name}=100`, { [name]: { ask: 1 } });
    const covered = await draw(idle, `${name}=100`, { [name]: { ask: 1, debt: 40, debtMs: 1_000 } });
    expect(covered.grants[name]?.fromMs).toBeLessThan(-BURST_MS + 20);
    const busy = `busy${keys++}`;
    await draw(busy, `${name}=100`, { [name]: { ask: 100, debt: 100, debtMs: 1_000 } });
    const owed = await draw(busy, `${name}=100`, { [name]: { ask: 1, debt: 40, debtMs: 1_000 } });
    expect(owed.grants[name]?.fromMs).toBeGreaterThan(1_300 - BURST_MS);
  });

  it("is earlier by what is given back, but not by what a lost key had granted", async () => {
    const name = "requests/1000";
    const key = `back${keys++}`;
    const { birth } = await draw(key, `${name}=100`, { [name]: { ask: 100 } });
    const lost = await draw(key, `${name}=100`, { [name]: { ask: 1, change: -80 } }, "an earlier one");
    expect(lost.grants[name]?.fromMs).toBeGreaterThan(800 - BURST_MS);
    const known = await draw(key, `${name}=100`, { [name]: { ask: 1, change: -80 } }, birth);
    expect(known.grants[name]?.fromMs).toBeLessThan(220 - BURST_MS);
  });

  it("is later by what was used while away, if what lay idle did so before", async () => {
    const name = "requests/1000";
    const key = `before${keys++}`;
    const { birth } = await draw(key, `${name}=100`, { [name]: { ask: 1 } });
    now += 10_000;
    const second = await draw(key, `${name}=100`, { [name]: { ask: 100 } }, birth);
    const flown = second.grants[name]?.flown ?? 0;
    expect(flown).toBeGreaterThan(990);
    const idle = { ask: 1, debt: 40, debtMs: 60_000, flown: 0 };
    const owed = await draw(key, `${name}=100`, { [name]: { ...idle, flown } }, birth);
    expect(owed.grants[name]?.fromMs).toBeGreaterThan(1_200 - BURST_MS);
    const covered = await draw(key, `${name}=100`, { [name]: idle }, birth);
    expect(covered.grants[name]?.fromMs).toBeLessThan(1_420 - BURST_MS);
  });

  it("is later by what two have used while away, if only one of them can have used what lay idle", async () => {
    const name = "requests/1000";
    const key = `two${keys++}`;
    const { birth } = await draw(key, `${name}=100`, { [name]: { ask: 1 } });
    now += 1_000;
    const away = { ask: 1, debt: 80, debtMs: 1_000, flown: 0 };
    const first = await draw(key, `${name}=100`, { [name]: away }, birth);
    expect(first.grants[name]?.fromMs).toBeLessThan(20 - BURST_MS);
    const second = await draw(key, `${name}=100`, { [name]: away }, birth);
    expect(second.grants[name]?.fromMs).toBeGreaterThan(550 - BURST_MS);
  });

  it("is nothing at all when a long window has too little, and the paced ones keep theirs", async () => {
    const limits = "requests/1000=100;tokens/86400000=1000";
    const key = `joint${keys++}`;
    const [paced, long] = ["requests/1000", "tokens/86400000"];
    const ask = (tokens: number) => draw(key, limits, { [paced]: { ask: 1 }, [long]: { ask: tokens, need: tokens } });
    const first = await ask(900);
    expect([first.grants[paced]?.amount, first.grants[long]?.amount, first.waitMs]).toEqual([1, 900, 0]);
    const second = await ask(200);
    expect([second.grants[paced]?.amount, second.grants[long]?.amount]).toEqual([0, 0]);
    expect(second.waitMs).toBeGreaterThan(23 * 3_600_000);
    const third = await ask(100);
    expect([third.grants[paced]?.amount, third.grants[long]?.amount]).toEqual([1, 100]);
  });

  it("counts a long window exactly: what is given back is there again, never more", async () => {
    const name = "requests/86400000";
    const steps = fc.array(fc.record({ ask: fc.nat(30), back: fc.nat(30) }), { maxLength: 30 });
    await fc.assert(
      fc.asyncProperty(steps, async (all) => {
        const key = `long${keys++}`;
        let out = 0;
        let birth = "";
        for (const { ask, back } of all) {
          const given = Math.min(back, out);
          const reply = await draw(key, `${name}=100`, { [name]: { ask, need: 1, change: -given } }, birth);
          birth = reply.birth;
          const granted = reply.grants[name]?.amount ?? 0;
          expect(granted).toBe(Math.min(ask, 100 - (out - given)));
          out += granted - given;
        }
      }),
      { numRuns: 20 },
    );
  });
});
