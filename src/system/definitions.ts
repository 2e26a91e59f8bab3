/** A metric of the process or the machine, under its name in the OpenTelemetry conventions where these have one. */
export interface SystemDefinition {
  readonly name: string;
  readonly kind: "counter" | "gauge" | "histogram";
  readonly unit: string;
  readonly labels: readonly string[];
  readonly description: string;
}

function define(
  kind: SystemDefinition["kind"],
  name: string,
  unit: string,
  description: string,
  labels: readonly string[] = [],
): SystemDefinition {
  return { kind, name, unit, labels, description };
}

const LOOP_DELAY = "nodejs.eventloop.delay";

/** Every metric that `systemMetrics` feeds. */
export const SYSTEM_DEFINITIONS = {
  cpuTime: define("counter", "process.cpu.time", "s", "Processor time of all threads; mode is user or system.", [
    "mode",
  ]),
  cpuUtilization: define(
    "gauge",
    "process.cpu.utilization",
    "1",
    "Share of the processors that the process may use, since the sample before.",
  ),
  memoryUsage: define("gauge", "process.memory.usage", "By", "Resident memory of the process."),
  memoryLimitUsed: define("gauge", "container.memory.usage", "By", "Memory that counts against the limit."),
  memoryLimit: define("gauge", "container.memory.limit", "By", "The container's limit, or the machine's memory."),
  uptime: define("gauge", "process.uptime", "s", "Time since the process began."),
  fileDescriptors: define(
    "gauge",
    "process.unix.file_descriptor.count",
    "{file_descriptor}",
    "Open files. Linux only.",
  ),
  loopDelayMin: define("gauge", `${LOOP_DELAY}.min`, "s", "Least delay of the event loop since the sample before."),
  loopDelayMax: define("gauge", `${LOOP_DELAY}.max`, "s", "Most delay of the event loop since the sample before."),
  loopDelayMean: define("gauge", `${LOOP_DELAY}.mean`, "s", "Mean delay of the event loop since the sample before."),
  loopDelayStddev: define("gauge", `${LOOP_DELAY}.stddev`, "s", "Standard deviation of the event loop's delay."),
  loopDelayP50: define("gauge", `${LOOP_DELAY}.p50`, "s", "Median delay of the event loop since the sample before."),
  loopDelayP90: define("gauge", `${LOOP_DELAY}.p90`, "s", "90th percentile of the event loop's delay."),
  loopDelayP99: define("gauge", `${LOOP_DELAY}.p99`, "s", "99th percentile of the event loop's delay."),
  loopUtilization: define(
    "gauge",
    "nodejs.eventloop.utilization",
    "1",
    "Share of the time that the event loop was at work, since the sample before.",
  ),
  loopTime: define("counter", "nodejs.eventloop.time", "s", "Time of the event loop; state is active or idle.", [
    "state",
  ]),
  gcDuration: define(
    "histogram",
    "v8js.gc.duration",
    "s",
    "Garbage collections; type is minor, major, incremental or weakcb.",
    ["type"],
  ),
  heapUsed: define("gauge", "v8js.memory.heap.used", "By", "Used memory of the JavaScript heap."),
  heapLimit: define("gauge", "v8js.memory.heap.limit", "By", "The most that the JavaScript heap may grow to."),
  heapFloor: define("gauge", "v8js.memory.heap.floor", "By", "Used memory right after the last major collection."),
  heapGrowth: define(
    "gauge",
    "v8js.memory.heap.growth",
    "By/h",
    "How fast that floor rises; 0 while it does not rise for sure.",
  ),
  machineCpu: define("gauge", "system.cpu.utilization", "1", "Share of all processors of the machine in use."),
  machineMemory: define("gauge", "system.memory.usage", "By", "Memory of the machine; state is used or free.", [
    "state",
  ]),
  machineMemoryLimit: define("gauge", "system.memory.limit", "By", "Memory of the machine in all."),
  network: define(
    "counter",
    "system.network.io",
    "By",
    "Bytes over all interfaces but the loopback; direction is receive or transmit. Linux only.",
    ["direction"],
  ),
  disk: define(
    "counter",
    "system.disk.io",
    "By",
    "Bytes that this process had read from and written to disks; direction is read or write. Linux only.",
    ["direction"],
  ),
  filesystem: define(
    "gauge",
    "system.filesystem.usage",
    "By",
    "The file system of the working directory; state is used or free.",
    ["state"],
  ),
} as const;
