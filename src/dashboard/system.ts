import type { LabelFilter, Monitor } from "../monitor/index.ts";
import type { GaugeView } from "./view.ts";

const WINDOW_SECONDS = 60;

/** The process and the machine, where those metrics are fed, and the monitor itself. */
export function systemOf(monitor: Monitor): readonly GaugeView[] {
  const read = (metric: string): number | null => monitor.read(metric, { aggregate: "value" }) ?? null;
  const rate = (metric: string, labels: LabelFilter = {}): number | null =>
    monitor.read(metric, { aggregate: "rate", window: "1m", labels }) ?? null;
  const collecting = monitor.read("v8js.gc.duration", { aggregate: "sum", window: "1m" });
  const stats = monitor.stats();
  return [
    { name: "CPU of the process", unit: "ratio", value: read("process.cpu.utilization") },
    { name: "CPU of the machine", unit: "ratio", value: read("system.cpu.utilization") },
    {
      name: "Memory that counts against the limit",
      unit: "bytes",
      value: read("container.memory.usage"),
      limit: read("container.memory.limit"),
    },
    {
      name: "JavaScript heap",
      unit: "bytes",
      value: read("v8js.memory.heap.used"),
      limit: read("v8js.memory.heap.limit"),
    },
    { name: "Delay of the event loop, p99", unit: "seconds", value: read("nodejs.eventloop.delay.p99") },
    { name: "Event loop at work", unit: "ratio", value: read("nodejs.eventloop.utilization") },
    {
      name: "Garbage collection, share of 1 min",
      unit: "ratio",
      value: collecting === undefined ? null : collecting / WINDOW_SECONDS,
    },
    { name: "Open files", unit: "count", value: read("process.unix.file_descriptor.count") },
    { name: "Network in", unit: "bytesPerSecond", value: rate("system.network.io", { direction: "receive" }) },
    { name: "Network out", unit: "bytesPerSecond", value: rate("system.network.io", { direction: "transmit" }) },
    { name: "Disk read", unit: "bytesPerSecond", value: rate("system.disk.io", { direction: "read" }) },
    { name: "Disk written", unit: "bytesPerSecond", value: rate("system.disk.io", { direction: "write" }) },
    { name: "Label sets of all metrics", unit: "count", value: stats.series },
    { name: "Label sets that found no room", unit: "count", value: stats.overflowed },
    { name: "Values that no metric could take", unit: "count", value: stats.refusedValues },
    { name: "Memory of the metrics' windows", unit: "bytes", value: stats.windowBytes },
  ];
}
