import { describe, expect, it } from "vitest";
import { findCgroup, memoryUsed } from "../../src/conditions/cgroup.ts";
import {
  type ConditionChange,
  type ConditionOptions,
  type ConditionReading,
  processConditions,
  sampleConditions,
  watchConditions,
} from "../../src/conditions/index.ts";
import { OptionError } from "../../src/core/index.ts";
import { virtualRuntime } from "../support/calls.ts";
import { ScriptedConditions } from "./scripted-conditions.ts";

const CALM: ConditionReading = {
  cpuMicros: 0,
  cpus: 2,
  memoryBytes: 100,
  memoryLimitBytes: 1_000,
  heapBytes: 50,
  heapLimitBytes: 200,
  loopDelayMs: 3,
  loopActiveMs: 0,
  loopIdleMs: 0,
};

function watched(options: Omit<ConditionOptions, "source">) {
  const { clock, runtime } = virtualRuntime();
  const source = new ScriptedConditions();
  const changes: ConditionChange[] = [];
  const watch = watchConditions({ source, onThreshold: (change) => changes.push(change), ...options }, runtime);
  return { clock, runtime, source, changes, watch };
}

describe("a sample of the process's condition", () => {
  it("tells shares of what the process may use since the sample before", () => {
    const readings = [
      CALM,
      { ...CALM, cpuMicros: 1_500_000, loopActiveMs: 600, loopIdleMs: 400, loopDelayMs: 12 },
      { ...CALM, cpuMicros: 1_500_000, loopActiveMs: 600, loopIdleMs: 1_400 },
    ];
    const sampler = sampleConditions({ read: () => readings.shift() ?? CALM }, 0);
    expect(sampler.sample(1_000)).toEqual({
      cpu: 0.75,
      memory: 0.1,
      heap: 0.25,
      loopDelay: 12,
      loopUtilization: 0.6,
    });
    expect(sampler.sample(2_000)).toMatchObject({ cpu: 0, loopUtilization: 0 });
  });

  it("of this process has plausible values, and sees the event loop blocked", async () => {
    const source = processConditions();
    const sampler = sampleConditions(source, performance.now());
    await new Promise((resolve) => setTimeout(resolve, 60));
    const until = performance.now() + 150;
    while (performance.now() < until);
    await new Promise((resolve) => setTimeout(resolve, 60));
    const { cpu, memory, heap, loopDelay, loopUtilization } = sampler.sample(performance.now());
    sampler.close();
    for (const share of [cpu, memory, heap, loopUtilization]) {
      expect(share).toBeGreaterThan(0);
      expect(share).toBeLessThanOrEqual(1.5);
    }
    expect(loopDelay).toBeGreaterThan(50);
  });
});

describe("the control group", () => {
  const reader = (files: Readonly<Record<string, string>>) => (path: string) => files[path];

  it("is read in version 2, at the path of the process or at the root", () => {
    const at = (folder: string) => ({
      "/proc/self/cgroup": "0::/app.slice/x\n",
      [`${folder}/memory.current`]: "900\n",
      [`${folder}/memory.max`]: "1000\n",
      [`${folder}/memory.stat`]: "anon 500\ninactive_file 300\nactive_file 100\n",
      [`${folder}/cpu.max`]: "150000 100000\n",
    });
    for (const folder of ["/sys/fs/cgroup", "/sys/fs/cgroup/app.slice/x"]) {
      const read = reader(at(folder));
      const cgroup = findCgroup(read);
      expect(cgroup).toEqual({ version: 2, memoryFolder: folder, memoryLimitBytes: 1_000, cpus: 1.5 });
      expect(cgroup === undefined ? undefined : memoryUsed(cgroup, read)).toBe(600);
    }
  });

  it("is read in version 1", () => {
    const read = reader({
      "/proc/self/cgroup": "5:cpu,cpuacct:/docker/1\n4:memory:/docker/1\n0::/\n",
      "/sys/fs/cgroup/memory/memory.usage_in_bytes": "900",
      "/sys/fs/cgroup/memory/memory.limit_in_bytes": "2000",
      "/sys/fs/cgroup/memory/memory.stat": "inactive_file 1\ntotal_inactive_file 100\n",
      "/sys/fs/cgroup/cpu/cpu.cfs_quota_us": "50000",
      "/sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000",
    });
    const cgroup = findCgroup(read);
    expect(cgroup).toMatchObject({ version: 1, memoryLimitBytes: 2_000, cpus: 0.5 });
    expect(cgroup === undefined ? undefined : memoryUsed(cgroup, read)).toBe(800);
  });

  it("has no limit where none is set, and is not there on other systems", () => {
    const files = {
      "/proc/self/cgroup": "0::/\n",
      "/sys/fs/cgroup/memory.current": "900",
      "/sys/fs/cgroup/memory.max": "max\n",
      "/sys/fs/cgroup/cpu.max": "max 100000\n",
    };
    expect(findCgroup(reader(files))).toMatchObject({ memoryLimitBytes: undefined, cpus: undefined });
    expect(findCgroup(() => undefined)).toBeUndefined();
  });
});

describe("watching conditions", () => {
  it("tells once when a threshold is reached and once when the value is well below it again", async () => {
    const { clock, runtime, source, changes, watch } = watched({ memory: 0.9 });
    const events: unknown[] = [];
    runtime.events.on("condition.changed", ({ condition, exceeded }) => events.push({ condition, exceeded }));
    for (const memory of [0.5, 0.9, 0.95, 0.85, 0.82, 0.8, 0.5]) {
      source.set({ memory });
      await clock.advance(1_000);
    }
    expect(changes).toEqual([
      { condition: "memory", exceeded: true, value: 0.9, threshold: 0.9 },
      { condition: "memory", exceeded: false, value: 0.8, threshold: 0.9 },
    ]);
    expect(events).toEqual([
      { condition: "memory", exceeded: true },
      { condition: "memory", exceeded: false },
    ]);
    watch.close();
    expect(clock.pendingTimers).toBe(0);
    expect(source.closed).toBe(true);
  });

  it("goes on when a callback throws, and says so", async () => {
    const failed: unknown[] = [];
    const { clock, runtime, source, watch } = watched({
      loopDelay: "100ms",
      onThreshold: () => {
        throw new TypeError("no");
      },
    });
    runtime.events.on("listener.failed", ({ listenerOf, error }) => failed.push([listenerOf, error]));
    source.set({ loopDelay: 250 });
    await clock.advance(1_000);
    expect(watch.exceeded).toEqual(["loopDelay"]);
    expect(failed).toEqual([["condition.changed", "TypeError"]]);
    source.set({ loopDelay: 0 });
    await clock.advance(1_000);
    expect(watch.exceeded).toEqual([]);
    watch.close();
  });

  it("names the option that is wrong", () => {
    expect(() => watchConditions({ cpu: 2 })).toThrow(/"conditions.cpu"/);
    expect(() => watchConditions({ loopDelay: "soon" as never })).toThrow(/"conditions.loopDelay"/);
    expect(() => watchConditions({ every: 1 })).toThrow(/"conditions.every"/);
    expect(() => watchConditions({ onThreshold: 1 as never })).toThrow(OptionError);
    expect(() => watchConditions({ disk: 0.5 } as never)).toThrow(OptionError);
  });
});
