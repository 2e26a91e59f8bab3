import { describe, expect, it } from "vitest";
import { type Call, pipeline, valueReply, whole } from "../../../src/core/index.ts";
import { rateLimit } from "../../../src/policies/rate-limit/index.ts";
import { callOf, virtualRuntime } from "../../support/calls.ts";

const answer = async () => valueReply("hi", whole());

describe("room at the rate limit", () => {
  it("is there until a fifth is left of what may come at once, and again when it has flown off", async () => {
    const { clock, runtime } = virtualRuntime();
    const policy = rateLimit({ requestsPerMinute: 600, burst: "1s" }, runtime);
    const line = pipeline(policy);
    const call = callOf(runtime, answer);
    for (let sent = 1; sent <= 8; sent++) {
      expect(policy.hasRoom(call, 0.2)).toBe(true);
      await clock.run(line.execute(callOf(runtime, answer)));
    }
    expect(policy.hasRoom(call, 0)).toBe(true);
    await clock.run(line.execute(callOf(runtime, answer)));
    expect(policy.hasRoom(call, 0.2)).toBe(false);
    await clock.advance(200);
    expect(policy.hasRoom(call, 0.2)).toBe(true);
  });

  it("is not there while four fifths of what flows are used, and again ten seconds later", async () => {
    const { clock, runtime } = virtualRuntime();
    const policy = rateLimit({ requestsPerMinute: 600 }, runtime);
    const send = async (everyMs: number) => {
      for (let sent = 0; sent < 20_000 / everyMs; sent++) {
        await clock.run(pipeline(policy).execute(callOf(runtime, answer)));
        await clock.advance(everyMs);
      }
    };
    await send(110);
    expect(policy.hasRoom(callOf(runtime, answer), 0.2)).toBe(false);
    expect(policy.hasRoom(callOf(runtime, answer), 0.05)).toBe(true);
    await send(150);
    expect(policy.hasRoom(callOf(runtime, answer), 0.2)).toBe(true);
  });

  it("is not there while the window of an exact limit is nearly full", async () => {
    const { clock, runtime } = virtualRuntime();
    const policy = rateLimit({ requestsPerMinute: 10, exact: true, burst: "1m" }, runtime);
    for (let sent = 0; sent < 9; sent++) await clock.run(pipeline(policy).execute(callOf(runtime, answer)));
    await clock.advance(50_000);
    expect(policy.hasRoom(callOf(runtime, answer), 0.2)).toBe(false);
    await clock.advance(10_000);
    expect(policy.hasRoom(callOf(runtime, answer), 0.2)).toBe(true);
  });

  it("is not there while others wait, or most places are taken", async () => {
    const { clock, runtime } = virtualRuntime();
    const policy = rateLimit({ concurrency: 5 }, runtime);
    const ends: (() => void)[] = [];
    const held = (_call: Call) =>
      new Promise<ReturnType<typeof valueReply>>((resolve) => {
        ends.push(() => resolve(valueReply("hi", whole())));
      });
    const running = Array.from({ length: 5 }, () => pipeline(policy).execute(callOf(runtime, held)));
    expect(policy.hasRoom(callOf(runtime, answer), 0)).toBe(false);
    ends.pop()?.();
    await clock.advance(0);
    expect(policy.hasRoom(callOf(runtime, answer), 0)).toBe(true);
    expect(policy.hasRoom(callOf(runtime, answer), 0.2)).toBe(true);
    expect(policy.hasRoom(callOf(runtime, answer), 0.4)).toBe(false);
    for (const end of ends) end();
    await clock.run(Promise.all(running));
  });
});
