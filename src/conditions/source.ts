import { readFileSync } from "node:fs";
import { availableParallelism, totalmem } from "node:os";
import { type EventLoopUtilization, monitorEventLoopDelay, performance } from "node:perf_hooks";
import { getHeapStatistics } from "node:v8";
import { type Cgroup, findCgroup, memoryUsed } from "./cgroup.ts";

/** What the operating system and the runtime tell of this process at one moment. */
export interface ConditionReading {
  /** Processor time used since the start, in microseconds: user and system, all threads. */
  readonly cpuMicros: number;
  /** Processors that it may use; less than one where a container has a part of one. */
  readonly cpus: number;
  readonly memoryBytes: number;
  readonly memoryLimitBytes: number;
  readonly heapBytes: number;
  readonly heapLimitBytes: number;
  /** The longest that the event loop was late since the last reading. */
  readonly loopDelayMs: number;
  /** Time that the event loop was at work and idle since the start. */
  readonly loopActiveMs: number;
  readonly loopIdleMs: number;
}

/** Where readings come from; tests and simulations give one of their own. */
export interface ConditionSource {
  read(): ConditionReading;
  /** Gives back what measuring takes. */
  close?(): void;
}

const LOOP_RESOLUTION_MS = 20;

/**
 * This process. Memory is what counts against the container's limit where there is one (cgroup v2 or v1: without the
 * file cache that the kernel can take back, as Kubernetes counts the working set), else the process's own resident
 * memory against the machine's. Linux pseudo-files are read with each reading; elsewhere none is.
 */
export function processConditions(): ConditionSource {
  const share = processShare();
  // Runs on a timer of its own that keeps no process alive.
  const delay = monitorEventLoopDelay({ resolution: LOOP_RESOLUTION_MS });
  delay.enable();
  return {
    read() {
      const { user, system } = process.cpuUsage();
      const heap = getHeapStatistics();
      const loop: EventLoopUtilization = performance.eventLoopUtilization();
      // The histogram tells the whole interval between its own timers; NaN and 0 before the first.
      const loopDelayMs = Math.max(0, delay.max / 1e6 - LOOP_RESOLUTION_MS);
      delay.reset();
      return {
        cpuMicros: user + system,
        ...share.read(),
        heapBytes: heap.used_heap_size,
        heapLimitBytes: heap.heap_size_limit,
        loopDelayMs: Number.isFinite(loopDelayMs) ? loopDelayMs : 0,
        loopActiveMs: loop.active,
        loopIdleMs: loop.idle,
      };
    },
    close: () => void delay.disable(),
  };
}

/** What this process may have of the machine, and what it has of that. */
export interface ProcessShare {
  read(): Pick<ConditionReading, "cpus" | "memoryBytes" | "memoryLimitBytes">;
}

/** The part of {@link processConditions} that measures nothing by itself. */
export function processShare(): ProcessShare {
  const cgroup = findCgroup(readText);
  return {
    read: () => ({
      cpus: Math.min(availableParallelism(), cgroup?.cpus ?? Number.POSITIVE_INFINITY),
      ...memoryOf(cgroup),
    }),
  };
}

function memoryOf(cgroup: Cgroup | undefined): { memoryBytes: number; memoryLimitBytes: number } {
  const machine = totalmem();
  const used = cgroup === undefined ? undefined : memoryUsed(cgroup, readText);
  const constrained = process.constrainedMemory();
  const limit = Math.min(
    cgroup?.memoryLimitBytes ?? Number.POSITIVE_INFINITY,
    constrained > 0 ? constrained : Number.POSITIVE_INFINITY,
  );
  if (used === undefined || limit >= machine) {
    return { memoryBytes: process.memoryUsage.rss(), memoryLimitBytes: Math.min(limit, machine) };
  }
  return { memoryBytes: used, memoryLimitBytes: limit };
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}
