import { describe, expect, it } from "vitest";
import {
  type Call,
  type Chunk,
  ChunkStream,
  type Outcome,
  pipeline,
  streamReply,
  whole,
} from "../../../src/core/index.ts";
import { type ThrottleOptions, throttle } from "../../../src/policies/throttle/index.ts";
import { callOf, drain, virtualRuntime } from "../../support/calls.ts";
import { CAPACITY, throughOutage } from "./outage-load.ts";

const KEY = "test/m/k";

const outage = (seed: number, stream: boolean, options: ThrottleOptions) =>
  throughOutage(seed, stream, (runtime) => throttle({ initial: CAPACITY, ...options }, runtime));

describe.each([1, 2, 3, 4, 5].flatMap((seed) => [true, false].map((stream) => ({ seed, stream }))))(
  "five times too much load, seed $seed, stream $stream",
  ({ seed, stream }) => {
    it("is not refused, and fills the provider again within one call after an outage", async () => {
      const { coldStart, rejectedShare, recovery } = await outage(seed, stream, {});
      expect(coldStart).toBeLessThanOrEqual(5);
      expect(rejectedShare).toBeLessThan(0.1);
      // New calls alone need 12 s to come.
      expect(recovery).toBeLessThanOrEqual(30);
    });

    it("sends less into the outage with client throttling, and still recovers within one call", async () => {
      const plain = await outage(seed, stream, {});
      const throttled = await outage(seed, stream, { clientThrottling: true });
      expect(throttled.coldStart).toBeLessThanOrEqual(5);
      expect(throttled.sentInOutage).toBeLessThan(plain.sentInOutage / 2);
      expect(throttled.recovery).toBeLessThanOrEqual(60);
    });
  },
);

describe("a provider that queues calls before it begins to answer", () => {
  it("is known by its time to the first token, though tokens then come as fast as ever", async () => {
    const { clock, runtime } = virtualRuntime();
    let running = 0;
    const line: (() => void)[] = [];
    const pass = (ms: number): Promise<void> => new Promise((resolve) => void clock.timer(ms, resolve));
    const send = async (_call: Call): Promise<Outcome> => {
      if (running >= CAPACITY) await new Promise<void>((resolve) => line.push(resolve));
      else running++;
      const outputTokens = 100 + Math.floor(200 * runtime.random());
      const steps = [300, outputTokens * 20];
      const pull = async () => {
        const ms = steps.shift() ?? 0;
        await pass(ms);
        if (steps.length === 1) return { role: "content", value: "a" } satisfies Chunk;
        const next = line.shift();
        if (next === undefined) running--;
        else next();
        return whole({ usage: { inputTokens: 100, outputTokens } });
      };
      return streamReply(new ChunkStream({ pull, cancel: () => undefined }));
    };
    const policy = throttle({}, runtime);
    const through = pipeline(policy);
    const caller = async (): Promise<never> => {
      for (;;) {
        const outcome = await through.execute(callOf(runtime, send, { stream: true }));
        if (outcome.ok && outcome.body.kind === "stream") await drain(outcome.body);
      }
    };
    const reasons = new Set<string>();
    runtime.events.on("throttle.changed", ({ reason }) => void reasons.add(reason));
    for (let index = 0; index < 300; index++) void caller();
    await clock.advance(120_000);
    const limits: number[] = [];
    for (let second = 0; second < 60; second++) {
      await clock.advance(1_000);
      limits.push(policy.snapshot()[KEY]?.limit ?? Number.NaN);
    }
    const mean = limits.reduce((sum, limit) => sum + limit, 0) / limits.length;
    expect(mean).toBeGreaterThan(0.9 * CAPACITY);
    expect(mean).toBeLessThan(1.25 * CAPACITY);
    expect([...reasons].sort()).toEqual(["recovering", "slow_first_token"]);
  });
});
