import { describe, expect, it } from "vitest";
import { seededRandom } from "../../../src/core/index.ts";
import { createOptimizer } from "../../../src/optimizer.ts";
import { VirtualClock } from "../../../src/testing/virtual-clock.ts";
import { aCall, everySecond } from "../support.ts";
import { heard } from "./support.ts";
import { detection, guarded, noisyDay } from "./traces.ts";

const SEEDS = [1, 2, 3, 4, 5, 6, 7, 8];

describe("the built-in rules", () => {
  it("tell within 45 s that every call fails, as critical", async () => {
    const found = await Promise.all(
      SEEDS.map((seed) => detection("critical", { rate: 2, errorRate: 1, seed, seconds: 60 })),
    );
    expect(Math.max(...found)).toBeLessThanOrEqual(45);
  });

  it("tell within 4 minutes that one call of five fails, as a warning", async () => {
    const found = await Promise.all(
      SEEDS.map((seed) => detection("warning", { rate: 2, errorRate: 0.2, seed, seconds: 300 })),
    );
    expect(Math.max(...found)).toBeLessThanOrEqual(240);
  });

  it.each([0.2, 2])("send at most 3 messages a day of noise at %d calls a second", async (rate) => {
    expect((await noisyDay(rate, 7)).length).toBeLessThanOrEqual(3);
  });

  it("move at most twice in an hour in which a percentile hovers around its threshold", async () => {
    for (const seed of SEEDS.slice(0, 3)) {
      const { clock, runtime, monitor } = guarded();
      const random = seededRandom(seed);
      const moves = [heard(runtime, "alert.firing"), heard(runtime, "alert.resolved")];
      await everySecond(clock, 3_600, () => {
        // One chunk of twenty decides the p95: it lies up to 10 % above or below 5 s.
        const ttfcMs = random() < 0.06 ? 4_500 + 1_000 * random() : 400 + 800 * random();
        runtime.events.emit("call.first_chunk", aCall(runtime), { ttfcMs, attempt: 1 });
      });
      expect(moves.flat().length).toBeLessThanOrEqual(2);
      monitor.close();
    }
  });

  it("leave an alert as it is when the traffic stops, and tell of no number that is none", async () => {
    const { clock, runtime, sent } = guarded();
    const texts: string[] = [];
    runtime.events.on("*", (event) => {
      if (event.type.startsWith("alert")) texts.push(JSON.stringify(event));
    });
    await everySecond(clock, 90, () => {
      const end = { attempt: 1, kind: "first", durationMs: 5, usage: undefined } as const;
      const why = { errorType: "server_error", status: 500, retryAfterMs: undefined } as const;
      runtime.events.emit("attempt.failed", aCall(runtime), { ...end, ...why });
    });
    expect(sent.map(({ rule, state }) => `${rule} ${state}`)).toEqual(["provider_outage firing"]);
    await clock.advance(120_000);
    expect(sent).toHaveLength(1);
    await clock.advance(120_000);
    expect(sent.map(({ state }) => state)).toEqual(["firing", "resolved"]);
    expect(sent[1]?.message).toContain("has no data");
    expect(texts.join()).not.toMatch(/NaN|null|Infinity/);
  });
});

describe("an optimizer with nothing but defaults", () => {
  it("whose provider is gone opens an alert with its breaker, and a critical one within 45 s", async () => {
    const clock = new VirtualClock();
    const optimizer = createOptimizer({ clock, random: seededRandom(1), environment: {}, cache: false });
    const told: { at: number; rule: string; level: string; state: string }[] = [];
    const goneAt = 300_000;
    let openedAt: number | undefined;
    optimizer.on("breaker.opened", () => {
      openedAt ??= clock.now();
    });
    optimizer.on("alert", ({ rule, level, state }) => {
      told.push({ at: clock.now(), rule, level, state });
    });
    const ask = async (): Promise<string> => {
      if (clock.now() >= goneAt) throw new TypeError("fetch failed");
      return "yes";
    };
    const calls: Promise<unknown>[] = [];
    for (let ms = 0; ms < goneAt + 60_000; ms += 500) {
      calls.push(optimizer.call({ model: "m", provider: "p", input: ms }, ask).catch(() => undefined));
      await clock.advance(500);
    }
    expect(told[0]).toMatchObject({ at: openedAt, level: "warning", rule: "breaker_open", state: "firing" });
    const critical = told.find(({ level }) => level === "critical");
    expect((critical?.at ?? Number.POSITIVE_INFINITY) - goneAt).toBeLessThanOrEqual(45_000);
    await optimizer.close();
    await Promise.all(calls);
    expect(clock.pendingTimers).toBe(0);
  });
});
