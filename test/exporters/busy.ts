import { setTimeout } from "node:timers/promises";
import type { EventMap, EventType, Runtime } from "../../src/core/index.ts";
import type { MonitorOptions } from "../../src/monitor/index.ts";
import { systemMetrics } from "../../src/system/index.ts";
import { SAMPLES } from "../monitor/samples.ts";
import { aCall, monitored, type Rig } from "../monitor/support.ts";

/** Tells of one of each event. */
export function oneOfEach(runtime: Runtime, model = "m"): void {
  const call = aCall(runtime, model);
  for (const type of Object.keys(SAMPLES) as EventType[]) {
    runtime.events.emit(type, call, SAMPLES[type] as EventMap[typeof type]);
  }
}

/** A monitor that has seen one of each event, and a metric of a user's own of each kind. */
export function busyMonitor(options: MonitorOptions = {}): Rig {
  const rig = monitored({ prices: { m: { input: 1, output: 10 } }, ...options });
  oneOfEach(rig.runtime);
  const { monitor } = rig;
  monitor.alerts.add({ id: "queue_long", metric: "app.queue", aggregate: "value", above: 1 });
  monitor.counter("app.docs", { unit: "{doc}", description: "Documents read." }).add(3, { kind: "pdf" });
  monitor.gauge("app.queue", { unit: "{doc}", description: "Documents that wait." }).set(2);
  monitor.histogram("app.sizes", { unit: "KiBy", description: "Sizes." }).record(1.5);
  monitor.timer("app.parse", { description: "Parsing." }).record(0.02);
  monitor.evaluate();
  return rig;
}

/** The same, and it has measured this process. */
export async function busyProcess(): Promise<Rig> {
  const rig = busyMonitor();
  const { clock, monitor, runtime } = rig;
  const system = systemMetrics({ monitor, line: { runtime } });
  const hasDelay = (): boolean =>
    monitor.metrics().some(({ name, series }) => name === "nodejs.eventloop.delay.p99" && series.length > 0);
  while (!hasDelay()) {
    await setTimeout(10);
    await clock.advance(1_000);
  }
  system.close();
  return rig;
}
