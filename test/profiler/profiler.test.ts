import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { createRuntime, type EventMap, OptionError, type Runtime } from "../../src/core/index.ts";
import { type CpuProfile, type ProfilerOptions, profiler } from "../../src/profiler/index.ts";
import { answered, endOf, failed } from "../monitor/support.ts";
import { virtualRuntime } from "../support/calls.ts";

const PROFILE: CpuProfile = {
  startTime: 0,
  endTime: 5_000_000,
  nodes: [
    { id: 1, hitCount: 900, callFrame: { functionName: "(idle)", url: "", lineNumber: -1 } },
    { id: 2, hitCount: 75, callFrame: { functionName: "encode", url: "file:///secret/tokens.js", lineNumber: 9 } },
    { id: 3, hitCount: 25, callFrame: { functionName: "", url: "node:internal/x", lineNumber: 0 } },
  ],
};

function rig(options: ProfilerOptions = {}) {
  const { clock, runtime } = virtualRuntime();
  const told: EventMap["profile.captured"][] = [];
  runtime.events.on("profile.captured", (event) => void told.push(event));
  const look = { loopDelayMs: 0, utilization: 0 };
  const state = { captures: 0, debugged: false, open: true };
  const source = {
    process: {
      loopDelayMs: () => look.loopDelayMs,
      utilization: () => look.utilization,
      close: () => {
        state.open = false;
      },
    },
    cpu: {
      isDebugged: () => state.debugged,
      capture: async () => {
        state.captures++;
        return PROFILE;
      },
      close: () => {},
    },
  };
  const watched = profiler({ line: { runtime } }, { source, ...options });
  return { clock, runtime, told, look, state, watched };
}

/** Lets the promises of a capture settle. */
const settled = () => new Promise((resolve) => setImmediate(resolve));

describe("a processor profile", () => {
  it("is taken of a busy process however often slow calls end", async () => {
    const { clock, runtime, look, state } = rig({ cpuProfiles: true, slowAfter: "1s" });
    look.utilization = 0.9;
    for (let calls = 0; calls < 20; calls++) {
      answered(runtime, { durationMs: 3_000 });
      await clock.advance(100);
    }
    await settled();
    expect(state.captures).toBe(1);
  });

  it("is not begun once the profiler is closed", async () => {
    const { runtime, look, state, watched, clock } = rig({ cpuProfiles: true, slowAfter: "1s" });
    look.loopDelayMs = 300;
    await clock.advance(1_000);
    answered(runtime, { durationMs: 3_000 });
    watched.close();
    await settled();
    expect(state.captures).toBe(0);
  });

  it("is taken after a call during which the process was busy minutes ago", async () => {
    const { clock, runtime, look, state } = rig({ cpuProfiles: true, slowAfter: "1s" });
    look.loopDelayMs = 300;
    await clock.advance(1_000);
    look.loopDelayMs = 0;
    for (let calls = 0; calls < 3_000; calls++) {
      answered(runtime, { durationMs: 1_000 });
      await clock.advance(100);
    }
    answered(runtime, { durationMs: 310_000 });
    await settled();
    expect(state.captures).toBe(1);
  });
});

describe("slow calls", () => {
  it("are kept with where their time went, the last one first, and never more than the bound", async () => {
    const { runtime, watched } = rig({ slowAfter: "1s", keepCalls: 2 });
    answered(runtime, { durationMs: 900 });
    answered(runtime, { durationMs: 3_000 });
    failed(runtime, "timeout", 4_000);
    const end = {
      ...endOf(10_000),
      providerMs: 6_000,
      firstChunkMs: 8_000,
      waits: { queue: 1_000, throttle: 500, rateLimit: 1_500, backoff: 250 },
    };
    runtime.events.emit("call.cancelled", undefined, end);
    const [last, before] = watched.slowCalls();
    expect(watched.slowCalls()).toHaveLength(2);
    expect(before).toMatchObject({ outcome: "failed", errorType: "timeout", durationMs: 4_000, mostly: "firstChunk" });
    expect(last).toMatchObject({ outcome: "cancelled", mostly: "firstChunk", processBusy: undefined });
    const parts = { queue: 1_000, throttle: 500, rateLimit: 1_500, backoff: 250, firstChunk: 4_000, stream: 2_000 };
    expect(last?.breakdown).toEqual({ ...parts, own: 750 });
    const sum = Object.values(last?.breakdown ?? {}).reduce((all, part) => all + part, 0);
    expect(sum).toBe(last?.durationMs);
  });

  it("need no timer, and nothing is listened to after close", () => {
    const { clock, runtime, watched } = rig({ slowAfter: 0 });
    expect(clock.pendingTimers).toBe(0);
    watched.close();
    answered(runtime, { durationMs: 60_000 });
    expect(watched.slowCalls()).toEqual([]);
    expect(runtime.events.wants("call.completed")).toBe(false);
  });
});

describe("processor profiles", () => {
  const on = { slowAfter: "1s", cpuProfiles: true } as const;

  it("are not taken of a call that merely waited", async () => {
    const { clock, runtime, state, watched } = rig(on);
    await clock.advance(5_000);
    answered(runtime, { durationMs: 4_000 });
    await settled();
    expect(state.captures).toBe(0);
    expect(watched.slowCalls()).toMatchObject([{ processBusy: false }]);
  });

  it("are taken when the process was busy, once in ten minutes, and name the function", async () => {
    const { clock, runtime, told, look, state, watched } = rig(on);
    look.loopDelayMs = 300;
    for (let minute = 0; minute < 19; minute++) {
      await clock.advance(60_000);
      answered(runtime, { durationMs: 4_000 });
      await settled();
    }
    expect(state.captures).toBe(2);
    expect(told).toMatchObject([
      { durationMs: 5_000, top: ["encode (tokens.js:10) 75 %", "(anonymous) (node:internal/x:1) 25 %"] },
      {},
    ]);
    const [latest] = watched.profiles();
    expect(JSON.parse(watched.profile(latest?.id ?? "") ?? "")).toEqual(PROFILE);
  });

  it("are not taken for what had ended before the call began", async () => {
    const { clock, runtime, look, state } = rig(on);
    look.utilization = 0.9;
    await clock.advance(5_000);
    look.utilization = 0.1;
    await clock.advance(10_000);
    answered(runtime, { durationMs: 4_000 });
    await settled();
    expect(state.captures).toBe(0);
    answered(runtime, { durationMs: 12_000 });
    await settled();
    expect(state.captures).toBe(1);
  });

  it("are not taken while a debugger is attached", async () => {
    const { clock, runtime, look, state, watched } = rig(on);
    state.debugged = true;
    look.loopDelayMs = 300;
    await clock.advance(5_000);
    answered(runtime, { durationMs: 4_000 });
    await settled();
    expect(state.captures).toBe(0);
    watched.close();
    expect(state.open).toBe(false);
    expect(clock.pendingTimers).toBe(0);
  });

  it("go to a folder when there is one", async () => {
    const folder = await mkdtemp(join(tmpdir(), "profiles-"));
    const { clock, runtime, told, look, watched } = rig({ ...on, folder });
    look.loopDelayMs = 300;
    await clock.advance(5_000);
    answered(runtime, { durationMs: 4_000 });
    await expect.poll(() => told.length, { timeout: 30_000 }).toBe(1);
    const [info] = watched.profiles();
    expect(JSON.parse(await readFile(info?.path ?? "", "utf8"))).toEqual(PROFILE);
    expect(watched.profile(info?.id ?? "")).toBeUndefined();
    await rm(folder, { recursive: true });
  });

  it("of this process name the function that held it up", { timeout: 60_000 }, async () => {
    const runtime: Runtime = createRuntime();
    const watched = profiler({ line: { runtime } }, { slowAfter: "200ms", cpuProfiles: true });
    await new Promise((resolve) => setTimeout(resolve, 100));
    const until = performance.now() + 60_000;
    holdUpTheLoop(400);
    await new Promise((resolve) => setTimeout(resolve, 50));
    answered(runtime, { durationMs: 450 });
    while (watched.profiles().length === 0 && performance.now() < until) {
      holdUpTheLoop(100);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    expect(watched.profiles()[0]?.top.join("\n")).toContain("holdUpTheLoop");
    watched.close();
  });

  it("refuse options they do not know", () => {
    const { runtime } = virtualRuntime();
    const wrong: readonly unknown[] = [{ every: 1 }, { keepCalls: 0 }, { cpuProfiles: "yes" }, { folder: "" }];
    for (const options of wrong) {
      expect(() => profiler({ line: { runtime } }, options as ProfilerOptions), String(options)).toThrow(OptionError);
    }
  });
});

function holdUpTheLoop(ms: number): number {
  const until = performance.now() + ms;
  let sum = 0;
  while (performance.now() < until) for (let index = 0; index < 10_000; index++) sum += Math.sqrt(index);
  return sum;
}
