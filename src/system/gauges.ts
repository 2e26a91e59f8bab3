import type { CounterMetric, GaugeMetric, HistogramMetric, Monitor } from "../monitor/index.ts";
import { SYSTEM_DEFINITIONS, type SystemDefinition } from "./definitions.ts";
import type { Flow } from "./linux.ts";
import type { SystemReading } from "./source.ts";

type Key = keyof typeof SYSTEM_DEFINITIONS;
type Names<K extends SystemDefinition["kind"]> = {
  [N in Key]: (typeof SYSTEM_DEFINITIONS)[N] extends { readonly kind: infer Kind }
    ? K extends Kind
      ? N
      : never
    : never;
}[Key];

/** The metrics of the process and the machine, in a monitor. */
export class SystemGauges {
  #monitor: Monitor;
  #instruments = new Map<SystemDefinition, unknown>();

  constructor(monitor: Monitor) {
    this.#monitor = monitor;
  }

  /** Shows a reading and what came since the one before, `elapsedSeconds` ago. */
  show(before: SystemReading, now: SystemReading, elapsedSeconds: number): void {
    this.#showProcess(before, now, elapsedSeconds);
    this.#showLoop(before, now);
    this.#showMachine(before, now);
  }

  set(key: Names<"gauge">, value: number | undefined, labels?: Readonly<Record<string, string>>): void {
    if (value !== undefined) this.#gauge(SYSTEM_DEFINITIONS[key]).set(value, labels);
  }

  collected(type: string, seconds: number): void {
    this.#histogram(SYSTEM_DEFINITIONS.gcDuration).record(seconds, { type });
  }

  #showProcess(before: SystemReading, now: SystemReading, elapsedSeconds: number): void {
    this.#add("cpuTime", now.cpuUser - before.cpuUser, { mode: "user" });
    this.#add("cpuTime", now.cpuSystem - before.cpuSystem, { mode: "system" });
    const used = now.cpuUser + now.cpuSystem - before.cpuUser - before.cpuSystem;
    if (elapsedSeconds > 0) this.set("cpuUtilization", used / (elapsedSeconds * now.cpus));
    this.set("memoryUsage", now.rss);
    this.set("memoryLimitUsed", now.memory);
    this.set("memoryLimit", now.memoryLimit);
    this.set("uptime", now.uptime);
    this.set("fileDescriptors", now.fileDescriptors);
    this.set("heapUsed", now.heapUsed);
    this.set("heapLimit", now.heapLimit);
  }

  #showLoop(before: SystemReading, now: SystemReading): void {
    const active = now.loopActive - before.loopActive;
    const idle = now.loopIdle - before.loopIdle;
    this.#add("loopTime", active, { state: "active" });
    this.#add("loopTime", idle, { state: "idle" });
    if (active + idle > 0) this.set("loopUtilization", active / (active + idle));
    const { loopDelay } = now;
    if (loopDelay === undefined) return;
    this.set("loopDelayMin", loopDelay.min);
    this.set("loopDelayMax", loopDelay.max);
    this.set("loopDelayMean", loopDelay.mean);
    this.set("loopDelayStddev", loopDelay.stddev);
    this.set("loopDelayP50", loopDelay.p50);
    this.set("loopDelayP90", loopDelay.p90);
    this.set("loopDelayP99", loopDelay.p99);
  }

  #showMachine(before: SystemReading, now: SystemReading): void {
    const busy = now.machineBusy - before.machineBusy;
    const idle = now.machineIdle - before.machineIdle;
    if (busy + idle > 0) this.set("machineCpu", busy / (busy + idle));
    this.set("machineMemory", now.machineMemory - now.machineFree, { state: "used" });
    this.set("machineMemory", now.machineFree, { state: "free" });
    this.set("machineMemoryLimit", now.machineMemory);
    this.set("filesystem", now.fileSystem?.used, { state: "used" });
    this.set("filesystem", now.fileSystem?.free, { state: "free" });
    this.#flow("network", before.network, now.network, ["receive", "transmit"]);
    this.#flow("disk", before.disk, now.disk, ["read", "write"]);
  }

  #flow(
    key: Names<"counter">,
    before: Flow | undefined,
    now: Flow | undefined,
    names: readonly [string, string],
  ): void {
    if (before === undefined || now === undefined) return;
    this.#add(key, now.inBytes - before.inBytes, { direction: names[0] });
    this.#add(key, now.outBytes - before.outBytes, { direction: names[1] });
  }

  // An interface that goes takes its count with it: a difference below zero is none.
  #add(key: Names<"counter">, value: number, labels: Readonly<Record<string, string>>): void {
    this.#counter(SYSTEM_DEFINITIONS[key]).add(Math.max(0, value), labels);
  }

  #gauge(definition: SystemDefinition): GaugeMetric {
    return this.#instrument(definition, (name, options) => this.#monitor.gauge(name, options));
  }

  #counter(definition: SystemDefinition): CounterMetric {
    return this.#instrument(definition, (name, options) => this.#monitor.counter(name, options));
  }

  #histogram(definition: SystemDefinition): HistogramMetric {
    return this.#instrument(definition, (name, options) => this.#monitor.histogram(name, options));
  }

  #instrument<T>(
    definition: SystemDefinition,
    make: (name: string, options: Omit<SystemDefinition, "name" | "kind">) => T,
  ): T {
    const known = this.#instruments.get(definition);
    if (known !== undefined) return known as T;
    const { name, unit, labels, description } = definition;
    const made = make(name, { unit, labels, description });
    this.#instruments.set(definition, made);
    return made;
  }
}
