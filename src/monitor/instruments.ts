import { type Clock, knownKeys, OptionError, textOf } from "../core/index.ts";
import type { Metric, MetricDefinition, MetricKind } from "./metric.ts";
import type { Registry } from "./registry.ts";
import type { CounterSeries, GaugeSeries, HistogramSeries, Labels } from "./series.ts";

export interface InstrumentOptions {
  /** Default: none. */
  readonly description?: string;
  /** UCUM, as OpenTelemetry writes it. Default none; of a timer always `"s"`. */
  readonly unit?: string;
  /** The only label keys it may have. Default: any. */
  readonly labels?: readonly string[];
  /** Of a histogram: upper bounds of the buckets that exporters write, rising. Default by unit. */
  readonly bounds?: readonly number[];
}

/** Counts what happens. Values that are negative or not finite are refused and counted as such. */
export interface CounterMetric {
  add(value?: number, labels?: Labels): void;
}

/** Shows a value that goes up and down. */
export interface GaugeMetric {
  set(value: number, labels?: Labels): void;
  add(delta: number, labels?: Labels): void;
}

/** Keeps a distribution: count, sum, min, max and quantiles with an error of at most 1.1 %. */
export interface HistogramMetric {
  record(value: number, labels?: Labels): void;
}

/** A histogram of seconds. */
export interface TimerMetric {
  record(seconds: number, labels?: Labels): void;
  /** Runs `fn` and records how long it took, also when it throws or rejects. Gives back what `fn` gives. */
  time<T>(fn: () => T, labels?: Labels): T;
  /** Begins to measure; the function it gives ends it, once, and tells the seconds. */
  start(labels?: Labels): () => number;
}

const RESERVED = /^(breakwater|gen_ai)(\.|$)/;
const BOUNDS_MAX = 64;
const INSTRUMENT_KEYS = ["description", "unit", "labels", "bounds"] as const;

/** Reads what a user says of a metric of their own. Throws {@link OptionError}. */
export function definitionOf(name: string, kind: MetricKind, options: InstrumentOptions = {}): MetricDefinition {
  if (RESERVED.test(name)) throw new OptionError("metric.name", name, "names outside breakwater and gen_ai");
  knownKeys(name, options, INSTRUMENT_KEYS);
  const { description, unit, labels, bounds } = options;
  if (labels !== undefined && !Array.isArray(labels)) {
    throw new OptionError(`${name}.labels`, labels, "an array of label keys");
  }
  return {
    name,
    kind,
    description: description === undefined ? "" : textOf(`${name}.description`, description, 1_000),
    unit: unit === undefined ? "" : textOf(`${name}.unit`, unit, 64),
    labels,
    ...(bounds !== undefined && { bounds: readBounds(`${name}.bounds`, bounds, kind) }),
  };
}

function readBounds(option: string, bounds: readonly number[], kind: MetricKind): readonly number[] {
  const accepted = `1 to ${BOUNDS_MAX} rising numbers above 0, for a histogram`;
  if (kind !== "histogram" || !Array.isArray(bounds) || bounds.length === 0 || bounds.length > BOUNDS_MAX) {
    throw new OptionError(option, bounds, accepted);
  }
  for (const [index, bound] of bounds.entries()) {
    const rises = Number.isFinite(bound) && (bound as number) > (index === 0 ? 0 : (bounds[index - 1] as number));
    if (!rises) throw new OptionError(option, bounds, accepted);
  }
  return [...(bounds as readonly number[])];
}

export function counterOf(registry: Registry, clock: Clock, definition: MetricDefinition): CounterMetric {
  const metric: Metric<CounterSeries> = registry.counter(definition);
  return {
    add: (value = 1, labels) => metric.series(labels).add(value, clock.now()),
  };
}

export function gaugeOf(registry: Registry, clock: Clock, definition: MetricDefinition): GaugeMetric {
  const metric: Metric<GaugeSeries> = registry.gauge(definition);
  return {
    set: (value, labels) => metric.series(labels).set(value, clock.now()),
    add: (delta, labels) => metric.series(labels).add(delta, clock.now()),
  };
}

export function histogramOf(registry: Registry, clock: Clock, definition: MetricDefinition): HistogramMetric {
  const metric: Metric<HistogramSeries> = registry.histogram(definition);
  return {
    record: (value, labels) => metric.series(labels).record(value, clock.now()),
  };
}

export function timerOf(registry: Registry, clock: Clock, definition: MetricDefinition): TimerMetric {
  const metric: Metric<HistogramSeries> = registry.histogram({ ...definition, unit: "s" });
  const start = (labels?: Labels): (() => number) => {
    // Now: labels that it cannot have are refused before anything runs, not in a promise that nobody awaits.
    const series = metric.series(labels);
    const startedAt = clock.now();
    let seconds: number | undefined;
    return () => {
      if (seconds === undefined) {
        seconds = (clock.now() - startedAt) / 1000;
        series.record(seconds, clock.now());
      }
      return seconds;
    };
  };
  return {
    record: (seconds, labels) => metric.series(labels).record(seconds, clock.now()),
    start,
    time: (fn, labels) => timed(fn, start(labels)),
  };
}

function timed<T>(fn: () => T, stop: () => number): T {
  let result: T;
  try {
    result = fn();
  } catch (error) {
    stop();
    throw error;
  }
  if (result instanceof Promise) result.then(stop, stop);
  else stop();
  return result;
}
