import { cpus, freemem, totalmem } from "node:os";
import { constants, type PerformanceEntry, PerformanceObserver, performance } from "node:perf_hooks";
import { getHeapStatistics } from "node:v8";
import { processShare } from "../conditions/index.ts";
import { fileSystemUse, type LinuxReading, readLinux } from "./linux.ts";
import { type LoopDelay, watchLoopDelay } from "./loop-delay.ts";

/** What the process and the machine show at one moment. Times are seconds, sizes bytes; `undefined`: not known here. */
export interface SystemReading extends LinuxReading {
  /** Since the start of the process. */
  readonly cpuUser: number;
  readonly cpuSystem: number;
  /** Processors that the process may use. */
  readonly cpus: number;
  readonly rss: number;
  readonly memory: number;
  readonly memoryLimit: number;
  readonly uptime: number;
  readonly loopActive: number;
  readonly loopIdle: number;
  readonly heapUsed: number;
  readonly heapLimit: number;
  /** Of all processors together, since the machine's start. */
  readonly machineBusy: number;
  readonly machineIdle: number;
  readonly machineFree: number;
  readonly machineMemory: number;
  readonly fileSystem: { readonly used: number; readonly free: number } | undefined;
  /** Since the reading before. */
  readonly loopDelay: LoopDelay | undefined;
}

type GcEntry = PerformanceEntry & { readonly detail: { readonly kind: number } };

export type GcType = "minor" | "major" | "incremental" | "weakcb";

export interface GcEnd {
  readonly type: GcType;
  readonly seconds: number;
  /** Used memory of the heap, right after a major collection. */
  readonly heapUsed: number | undefined;
}

/** Where readings come from; tests give one of their own. */
export interface SystemSource {
  read(): SystemReading;
  /** Tells of every garbage collection from now on; gives back how to stop. */
  onGc(listener: (end: GcEnd) => void): () => void;
  close(): void;
}

const GC_TYPES: Readonly<Record<number, GcType>> = {
  [constants.NODE_PERFORMANCE_GC_MINOR]: "minor",
  [constants.NODE_PERFORMANCE_GC_MAJOR]: "major",
  [constants.NODE_PERFORMANCE_GC_INCREMENTAL]: "incremental",
  [constants.NODE_PERFORMANCE_GC_WEAKCB]: "weakcb",
};

/** This process on this machine. */
export function systemSource(): SystemSource {
  const share = processShare();
  const delay = watchLoopDelay();
  return {
    read: () => {
      const { user, system } = process.cpuUsage();
      const heap = getHeapStatistics();
      const loop = performance.eventLoopUtilization();
      const { cpus: allowed, memoryBytes, memoryLimitBytes } = share.read();
      return {
        ...readLinux(),
        ...machineTimes(),
        cpuUser: user / 1e6,
        cpuSystem: system / 1e6,
        cpus: allowed,
        rss: process.memoryUsage.rss(),
        memory: memoryBytes,
        memoryLimit: memoryLimitBytes,
        uptime: process.uptime(),
        loopActive: loop.active / 1000,
        loopIdle: loop.idle / 1000,
        heapUsed: heap.used_heap_size,
        heapLimit: heap.heap_size_limit,
        machineFree: freemem(),
        machineMemory: totalmem(),
        fileSystem: fileSystemUse(),
        loopDelay: delay.read(),
      };
    },
    onGc,
    close: () => delay.close(),
  };
}

function machineTimes(): { readonly machineBusy: number; readonly machineIdle: number } {
  let busy = 0;
  let idle = 0;
  for (const { times } of cpus()) {
    busy += times.user + times.nice + times.sys + times.irq;
    idle += times.idle;
  }
  return { machineBusy: busy / 1000, machineIdle: idle / 1000 };
}

function onGc(listener: (end: GcEnd) => void): () => void {
  const observer = new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) {
      const type = GC_TYPES[(entry as GcEntry).detail.kind];
      if (type === undefined) continue;
      const heapUsed = type === "major" ? getHeapStatistics().used_heap_size : undefined;
      listener({ type, seconds: entry.duration / 1000, heapUsed });
    }
  });
  observer.observe({ entryTypes: ["gc"] });
  return () => observer.disconnect();
}
