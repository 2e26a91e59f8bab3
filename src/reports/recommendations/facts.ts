import type { Duration } from "../../core/index.ts";
import type { Aggregate, LabelFilter, Monitor } from "../../monitor/index.ts";
import type { Optimizer } from "../../optimizer.ts";
import { type LineOptionName, optionOf } from "./options.ts";

/** What the rules look at: the last `windowMs` of the monitor, and the options in force. */
export class Facts {
  readonly monitor: Monitor;
  readonly windowMs: number;
  /** With fewer values nothing is said. */
  readonly minCount: number;
  #optimizer: Pick<Optimizer, "line" | "monitor">;

  constructor(optimizer: Pick<Optimizer, "line" | "monitor">, windowMs: number, minCount: number) {
    this.#optimizer = optimizer;
    this.monitor = optimizer.monitor;
    this.windowMs = windowMs;
    this.minCount = minCount;
  }

  count(metric: string, labels: LabelFilter = {}): number {
    return this.monitor.read(metric, { aggregate: "count", window: this.windowMs as Duration, labels }) ?? 0;
  }

  value(metric: string, aggregate: Aggregate, labels: LabelFilter = {}): number | undefined {
    return this.monitor.read(metric, { aggregate, window: this.windowMs as Duration, labels });
  }

  option(name: LineOptionName): number | undefined {
    return optionOf(this.#optimizer.line, name);
  }
}
