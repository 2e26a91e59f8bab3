import { type Duration, durationMs, knownKeys, numberIn, type Runtime } from "../core/index.ts";
import type { Monitor } from "../monitor/index.ts";
import { SYSTEM_DEFINITIONS } from "./definitions.ts";
import { SystemGauges } from "./gauges.ts";
import { HeapFloor, type HeapTrend } from "./heap-floor.ts";
import { type GcEnd, type SystemReading, type SystemSource, systemSource } from "./source.ts";
import { slopeOf } from "./trend.ts";

/** What is watched: an optimizer is one. */
export interface Watched {
  readonly monitor: Monitor;
  readonly line: { readonly runtime: Runtime };
}

export interface SystemOptions {
  /** How long the heap must have grown to be told of, 10 minutes to 1 hour. Default `"30m"`. */
  readonly heapWindow?: Duration | undefined;
  /** Default this process on this machine. */
  readonly source?: SystemSource | undefined;
}

export const SYSTEM_DEFAULTS = { heapWindow: "30m" } as const satisfies SystemOptions;

/** A gauge over the last minutes. */
export interface SystemRow {
  readonly name: string;
  readonly unit: string;
  readonly now: number;
  readonly mean: number;
  readonly min: number;
  readonly max: number;
  /** How it goes, per hour, by the median of all slopes; absent with fewer than 3 points. */
  readonly perHour?: number;
}

export interface SystemMetrics {
  /** Every gauge that has data, over the last `minutes`, 1 to 60; default 15. Throws `OptionError`. */
  report(options?: { readonly minutes?: number }): readonly SystemRow[];
  readonly heap: HeapTrend;
  /** Stops measuring. What was measured can still be read. */
  close(): void;
}

const SAMPLE_MS = 1_000;
const HOUR_MS = 3_600_000;
const DEFINITIONS = Object.values(SYSTEM_DEFINITIONS);

/**
 * Feeds the monitor with metrics of this process and this machine. They are measured when somebody reads one of them, at
 * most once a second: there is no timer, and until the first of them is read nothing is opened. Of `/proc` only Linux has what is read there; elsewhere those metrics are absent.
 *
 * Tells `system.heap_growing` when what major collections leave has risen for `heapWindow`, and when it no longer does.
 *
 * Throws `OptionError`.
 */
export function systemMetrics({ monitor, line }: Watched, options: SystemOptions = {}): SystemMetrics {
  knownKeys("system", options, ["heapWindow", "source"]);
  const heapWindow = options.heapWindow ?? SYSTEM_DEFAULTS.heapWindow;
  const heap = new HeapFloor(durationMs("system.heapWindow", heapWindow, { min: 600_000, max: HOUR_MS }));
  const { clock, events } = line.runtime;
  const gauges = new SystemGauges(monitor);
  let source: SystemSource | undefined;
  let stopGc = (): void => {};
  let before: SystemReading | undefined;
  let sampledAt = Number.NEGATIVE_INFINITY;

  const collected = ({ type, seconds, heapUsed }: GcEnd): void => {
    gauges.collected(type, seconds);
    if (heapUsed === undefined) return;
    const changed = heap.add(clock.now(), heapUsed);
    const { growing, bytesPerHour } = heap.trend;
    gauges.set("heapFloor", heapUsed);
    gauges.set("heapGrowth", bytesPerHour);
    const limitBytes = before?.heapLimit ?? 0;
    if (changed)
      events.emit("system.heap_growing", undefined, { growing, bytesPerHour, floorBytes: heapUsed, limitBytes });
  };
  const sample = (): void => {
    const now = clock.now();
    if (now - sampledAt < SAMPLE_MS) return;
    if (source === undefined) {
      source = options.source ?? systemSource();
      stopGc = source.onGc(collected);
    }
    const reading = source.read();
    if (before === undefined) gauges.show(atStart(reading), reading, reading.uptime);
    else gauges.show(before, reading, (now - sampledAt) / 1000);
    before = reading;
    sampledAt = now;
  };
  const names = DEFINITIONS.map(({ name }) => name);
  const stop = monitor.observe(names, sample);

  return {
    report: (chosen = {}) => {
      knownKeys("system.report", chosen, ["minutes"]);
      return reportOf(monitor, numberIn("system.report.minutes", chosen.minutes ?? 15, 1, 60));
    },
    get heap() {
      return heap.trend;
    },
    close() {
      stop();
      stopGc();
      source?.close();
    },
  };
}

/** What the process had when it began. The machine's past is not ours: that begins with the first reading. */
function atStart(reading: SystemReading): SystemReading {
  return { ...reading, cpuUser: 0, cpuSystem: 0, loopActive: 0, loopIdle: 0 };
}

function reportOf(monitor: Monitor, minutes: number): SystemRow[] {
  const rows: SystemRow[] = [];
  const window = minutes * 60_000;
  for (const { name, unit, kind, labels } of DEFINITIONS) {
    if (kind !== "gauge" || labels.length > 0) continue;
    const read = (aggregate: "value" | "mean" | "min" | "max") => monitor.read(name, { aggregate, window });
    const [now, mean, min, max] = [read("value"), read("mean"), read("min"), read("max")];
    if (now === undefined || mean === undefined || min === undefined || max === undefined) continue;
    const points = monitor
      .timeline(name, { aggregate: "mean", minutes })
      .flatMap((line) => line.points)
      .flatMap(([at, value]) => (value === null ? [] : [[at, value] as const]));
    const slope = slopeOf(points);
    rows.push({ name, unit, now, mean, min, max, ...(slope !== undefined && { perHour: slope * HOUR_MS }) });
  }
  return rows;
}
