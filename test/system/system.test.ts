import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createRuntime, type EventMap, OptionError } from "../../src/core/index.ts";
import { createMonitor, DEFAULT_ALERTS } from "../../src/monitor/index.ts";
import { SYSTEM_DEFINITIONS, type SystemReading, type SystemSource, systemMetrics } from "../../src/system/index.ts";
import { diskOf, networkOf } from "../../src/system/linux.ts";
import { watchLoopDelay } from "../../src/system/loop-delay.ts";
import { riseOf, slopeOf } from "../../src/system/trend.ts";
import { virtualRuntime } from "../support/calls.ts";

const MB = 1024 * 1024;

function readingAt(seconds: number): SystemReading {
  const delay = { min: 0, max: 0.05, mean: 0.001, stddev: 0.002, p50: 0.001, p90: 0.002, p99: 0.01 };
  return {
    cpuUser: seconds * 0.4,
    cpuSystem: seconds * 0.1,
    cpus: 2,
    rss: 100 * MB,
    memory: 300 * MB,
    memoryLimit: 400 * MB,
    uptime: seconds,
    loopActive: seconds * 0.25,
    loopIdle: seconds * 0.75,
    heapUsed: 50 * MB,
    heapLimit: 1_000 * MB,
    machineBusy: seconds,
    machineIdle: seconds * 3,
    machineFree: MB,
    machineMemory: 4 * MB,
    fileSystem: undefined,
    loopDelay: delay,
    fileDescriptors: 20,
    network: { inBytes: seconds * 10, outBytes: seconds * 20 },
    disk: undefined,
  };
}

function rig() {
  const { clock, runtime } = virtualRuntime();
  const monitor = createMonitor(runtime);
  const told: EventMap["system.heap_growing"][] = [];
  runtime.events.on("system.heap_growing", (event) => void told.push(event));
  let reads = 0;
  let collected: Parameters<SystemSource["onGc"]>[0] = () => {};
  const source: SystemSource = {
    read: () => {
      reads++;
      return readingAt(clock.now() / 1000);
    },
    onGc: (listener) => {
      collected = listener;
      return () => {
        collected = () => {};
      };
    },
    close: () => {},
  };
  const system = systemMetrics({ monitor, line: { runtime } }, { source });
  const major = (heapUsed: number): void => collected({ type: "major", seconds: 0.02, heapUsed });
  return { clock, runtime, monitor, system, told, major, reads: () => reads };
}

describe("metrics of the system", () => {
  it("show shares of what the process may have, and counts as they go on", async () => {
    const { clock, monitor } = rig();
    await clock.advance(5_000);
    monitor.metrics();
    await clock.advance(5_000);
    expect(monitor.read("process.cpu.utilization")).toBeCloseTo(0.25);
    expect(monitor.read("nodejs.eventloop.utilization")).toBeCloseTo(0.25);
    expect(monitor.read("system.cpu.utilization")).toBeCloseTo(0.25);
    expect(monitor.read("nodejs.eventloop.delay.p99")).toBe(0.01);
    expect(monitor.read("container.memory.usage")).toBe(300 * MB);
    expect(monitor.read("process.cpu.time", { aggregate: "sum", labels: { mode: "user" } })).toBeCloseTo(4);
    expect(monitor.read("system.network.io", { aggregate: "sum" })).toBeCloseTo(150);
    // Nothing is said of what cannot be known here.
    expect(monitor.read("system.disk.io")).toBeUndefined();
    expect(monitor.read("system.filesystem.usage")).toBeUndefined();
  });

  it("are measured when somebody reads one, at most once a second, and by no timer", async () => {
    const { clock, monitor, reads } = rig();
    expect(clock.pendingTimers).toBe(0);
    await clock.advance(60_000);
    expect(reads()).toBe(0);
    monitor.metrics();
    monitor.read("process.uptime");
    expect(reads()).toBe(1);
    await clock.advance(1_000);
    monitor.read("process.uptime");
    expect(reads()).toBe(2);
  });

  it("come with mean, extremes and trend", async () => {
    const { clock, monitor, system } = rig();
    for (let minute = 0; minute < 15; minute++) {
      await clock.advance(60_000);
      monitor.metrics();
    }
    const row = system.report({ minutes: 15 }).find(({ name }) => name === "process.uptime");
    expect(row).toMatchObject({ now: 900, max: 900, unit: "s" });
    expect(row?.perHour).toBeCloseTo(3_600, -2);
    const flat = system.report().find(({ name }) => name === "process.memory.usage");
    expect(flat).toMatchObject({ now: 100 * MB, mean: 100 * MB, min: 100 * MB, max: 100 * MB, perHour: 0 });
    expect(() => system.report({ minutes: 0 })).toThrow(OptionError);
  });

  it("tell of a heap that grows, once, and when it no longer does", async () => {
    const { clock, monitor, system, told, major } = rig();
    monitor.metrics();
    for (let minute = 0; minute < 40; minute++) {
      major((100 + minute * 5 + (minute % 3)) * MB);
      // A collection in the middle of work leaves more: it is not the floor.
      major((400 + minute) * MB);
      await clock.advance(60_000);
    }
    expect(told).toMatchObject([{ growing: true, limitBytes: 1_000 * MB }]);
    expect(system.heap.bytesPerHour / MB).toBeGreaterThan(250);
    expect(system.heap.bytesPerHour / MB).toBeLessThan(350);
    for (let minute = 0; minute < 40; minute++) {
      major((90 + (minute % 2)) * MB);
      await clock.advance(60_000);
    }
    expect(told).toMatchObject([{ growing: true }, { growing: false, bytesPerHour: 0 }]);
  });

  it("do not call a heap growing that is merely busy", async () => {
    const { clock, monitor, told, major } = rig();
    monitor.metrics();
    for (let minute = 0; minute < 240; minute++) {
      major((200 + 80 * Math.sin(minute) + (minute % 7) * 9) * MB);
      await clock.advance(60_000);
    }
    expect(told).toEqual([]);
  });

  it("of this process are there, and nothing of it is left after close", async () => {
    const runtime = createRuntime();
    const monitor = createMonitor(runtime);
    const system = systemMetrics({ monitor, line: { runtime } });
    await expect.poll(() => monitor.read("process.cpu.utilization") ?? 0, { timeout: 30_000 }).toBeGreaterThan(0);
    for (const name of ["process.memory.usage", "v8js.memory.heap.used", "process.uptime", "system.memory.limit"]) {
      expect(monitor.read(name), name).toBeGreaterThan(0);
    }
    if (process.platform === "linux") {
      expect(monitor.read("process.unix.file_descriptor.count")).toBeGreaterThan(2);
      expect(monitor.read("system.network.io", { aggregate: "sum" })).toBeGreaterThanOrEqual(0);
    }
    const names: readonly string[] = Object.values(SYSTEM_DEFINITIONS).map(({ name }) => name);
    for (const { name, description } of monitor.metrics()) {
      if (names.includes(name)) expect(description, name).not.toBe("");
    }
    system.close();
    const uptime = monitor.read("process.uptime");
    await new Promise((resolve) => setTimeout(resolve, 1_100));
    expect(monitor.read("process.uptime")).toBe(uptime);
  });

  it("refuse options they do not know", () => {
    const { monitor, runtime } = rig();
    const watched = { monitor, line: { runtime } };
    expect(() => systemMetrics(watched, { every: "1s" } as never)).toThrow(OptionError);
    expect(() => systemMetrics(watched, { heapWindow: "1m" })).toThrow(OptionError);
  });

  it("raise the built-in alert on a heap that grows, and end it", async () => {
    const { clock, monitor, runtime, major } = rig();
    const told: string[] = [];
    runtime.events.on("alert", ({ rule, state }) => void told.push(`${rule} ${state}`));
    for (const rule of DEFAULT_ALERTS) if (rule.id === "heap_growing") monitor.alerts.add(rule);
    await clock.advance(5_000);
    for (let minute = 0; minute < 40; minute++) {
      major((100 + minute * 5) * MB);
      await clock.advance(60_000);
    }
    expect(told).toEqual(["heap_growing firing"]);
    for (let minute = 0; minute < 50; minute++) {
      major(90 * MB);
      await clock.advance(60_000);
    }
    expect(told).toEqual(["heap_growing firing", "heap_growing resolved"]);
  });
});

describe("the event loop's delay", () => {
  it.each([true, false])("shows blocks and no more, measured by turn: %s", async (perIteration) => {
    const delay = watchLoopDelay({ perIteration });
    const rest = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
    await rest(50);
    delay.read();
    await rest(100);
    const until = performance.now() + 300;
    while (performance.now() < until);
    await rest(50);
    const max = delay.read()?.max ?? 0;
    delay.close();
    expect(max).toBeGreaterThan(0.25);
    expect(max).toBeLessThan(30);
  });
});

describe("what the kernel tells", () => {
  it("is read as proc(5) describes it", () => {
    const lines = [
      "Inter-|   Receive                            |  Transmit",
      " face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs",
      "    lo: 999 1 0 0 0 0 0 0 999 1 0 0 0 0 0 0",
      "  eth0: 100 1 0 0 0 0 0 0 200 1 0 0 0 0 0 0",
      "  eth1:1000 1 0 0 0 0 0 0 2000 1 0 0 0 0 0 0",
    ];
    expect(networkOf(lines.join("\n"))).toEqual({ inBytes: 1_100, outBytes: 2_200 });
    expect(diskOf("rchar: 5\nread_bytes: 7\nwrite_bytes: 9\ncancelled_write_bytes: 3\n")).toEqual({
      inBytes: 7,
      outBytes: 9,
    });
  });
});

describe("a trend", () => {
  it("is the slope of a line, whatever one point in five says", () => {
    fc.assert(
      fc.property(
        fc.double({ min: -10, max: 10, noNaN: true }),
        fc.array(fc.double({ min: -1e6, max: 1e6, noNaN: true }), { minLength: 8, maxLength: 8 }),
        (slope, wild) => {
          const points = Array.from({ length: 40 }, (_, index) => [index, index * slope] as const);
          const spoilt = points.map(
            ([at, value], index) => [at, index % 5 === 0 ? (wild[index / 5] ?? 0) : value] as const,
          );
          expect(Math.abs((slopeOf(spoilt) ?? Number.NaN) - slope)).toBeLessThan(1 + Math.abs(slope) * 0.5);
          expect(slopeOf(points)).toBeCloseTo(slope, 6);
        },
      ),
    );
  });

  it("is sure of what rises and not of what jumps about", () => {
    const rising = Array.from({ length: 10 }, (_, index) => [index, index] as const);
    expect(riseOf(rising)).toBeGreaterThan(3);
    expect(riseOf(rising.map(([at, value]) => [at, -value]))).toBeLessThan(-3);
    expect(Math.abs(riseOf(rising.map(([at, value]) => [at, value % 2])))).toBeLessThan(2);
  });
});
