import {
  type Bytes,
  booleanOf,
  byteCount,
  type Duration,
  durationMs,
  functionOf,
  integerIn,
  knownKeys,
  numberIn,
  OptionError,
  oneOf,
  type Runtime,
} from "../core/index.ts";
import {
  type AlertHandler,
  type AlertRule,
  type AlertStatus,
  Alerts,
  type GroupingOptions,
  type NotifyOptions,
  readGrouping,
  readHandlers,
  type Silence,
  type SilenceOptions,
} from "./alerts/index.ts";
import { DEFAULT_ALERTS } from "./default-alerts.ts";
import { DEFINITIONS } from "./definitions.ts";
import { type Health, type HealthStatus, judge } from "./health.ts";
import {
  type CounterMetric,
  counterOf,
  definitionOf,
  type GaugeMetric,
  gaugeOf,
  type HistogramMetric,
  histogramOf,
  type InstrumentOptions,
  type TimerMetric,
  timerOf,
} from "./instruments.ts";
import { isolated } from "./isolated.ts";
import { type Measuring, measuring } from "./measure.ts";
import { type ModelPrice, PriceBook, type Prices } from "./prices.ts";
import { type ReadOptions, readQuery, type TimelineOptions, timelineQuery } from "./read-options.ts";
import { valueRead } from "./reading.ts";
import { recordCalls } from "./record-calls.ts";
import { recordOwn } from "./record-own.ts";
import { recordPolicies } from "./record-policies.ts";
import { Registry } from "./registry.ts";
import { type Report, reportOf } from "./report.ts";
import { named, SEMCONVS, type Semconv } from "./semconv.ts";
import { type MetricSnapshot, snapshotOf } from "./snapshot.ts";
import { type Timeline, timelineOf } from "./timeline.ts";
import { lifetimeSums, type Totals, totalsOf } from "./totals.ts";
import { WallOffset } from "./wall-offset.ts";

export interface MonitorOptions {
  /** US dollars per million tokens, by model. Default none: cost is not counted. */
  readonly prices?: Prices;
  /**
   * What `metrics()` calls what the GenAI conventions of OpenTelemetry name: as version 1.41 has it, as the conventions
   * have it since, or both. Everything else (`read`, alerts, reports) uses the names of 1.41. Default `"v1.41"`.
   */
  readonly semconv?: Semconv;
  /** Adds the built-in alert rules. Default `false`; in an optimizer `true`. */
  readonly defaultAlerts?: boolean;
  /** Alert rules from the start. Default none. */
  readonly alerts?: readonly AlertRule[];
  /** Get every message about alerts; as `alerts.notify`. Default none. */
  readonly handlers?: readonly AlertHandler[];
  /** How alerts share messages. */
  readonly grouping?: GroupingOptions;
  /** How often the alert rules are read. Default `"5s"`. */
  readonly evaluateEvery?: Duration;
  /** Label sets of one metric, those for the rest included. Default 500. */
  readonly maxSeries?: number;
  /** Memory for the windows of all histograms; over it the oldest minutes are given up. Default `"16mb"`. */
  readonly windowMemory?: Bytes;
}

export const MONITOR_DEFAULTS = {
  semconv: "v1.41",
  defaultAlerts: false,
  evaluateEvery: "5s",
  maxSeries: 500,
  windowMemory: "16mb",
} as const;

/** Everything since the start, in a few numbers. */
export interface MonitorStats extends Totals {
  readonly inFlight: number;
  readonly retries: number;
  /** Label sets of all metrics. */
  readonly series: number;
  /** How often a label set found no room, of all metrics. */
  readonly overflowed: number;
  /** Values that no metric could take: negative, infinite, not a number. */
  readonly refusedValues: number;
  /** Bytes of the histograms' windows. */
  readonly windowBytes: number;
  /** How often the oldest minutes were given up to stay within `windowMemory`. */
  readonly windowReclaims: number;
  readonly alertsFiring: number;
}

/** Counts and measures what events tell, raises alerts, and reports. It never touches a call. */
export interface Monitor extends Measuring {
  /** A counter of your own; the same name gives the same one. Throws `OptionError`. */
  counter(name: string, options?: InstrumentOptions): CounterMetric;
  gauge(name: string, options?: InstrumentOptions): GaugeMetric;
  histogram(name: string, options?: InstrumentOptions): HistogramMetric;
  timer(name: string, options?: Omit<InstrumentOptions, "unit">): TimerMetric;
  /**
   * Has `observe` bring metrics of your own up to date whenever one of `names` is read, so that nothing is measured while
   * nobody asks. What it throws is told as `listener.failed`. Gives back how to stop.
   */
  observe(names: readonly string[], observe: () => void): () => void;
  readonly alerts: {
    /** Adds a rule and gives its id. Throws `OptionError`. */
    add(rule: AlertRule): string;
    /** Takes a rule away. Says whether it was there. */
    remove(id: string): boolean;
    list(): readonly AlertStatus[];
    /** Gives a handler every message from now on, or those of some levels; gives back how to stop. Throws `OptionError`. */
    notify(handler: AlertHandler, options?: NotifyOptions): () => void;
    /** Sends nothing of some alerts for a while; gives the silence's id. Throws `OptionError`. */
    silence(options: SilenceOptions): string;
    /** Ends a silence. Says whether it was there. */
    unsilence(id: string): boolean;
    silences(): readonly Silence[];
  };
  /**
   * Replaces all prices from now on; what was counted stays. `undefined`: cost is not counted any more. Throws
   * `OptionError` and then changes nothing.
   */
  setPrices(prices: Prices | undefined): void;
  /** The price in force of the first of the models that has one. */
  priceOf(...models: readonly (string | undefined)[]): ModelPrice | undefined;
  /** Every metric since the start, as plain data: what exporters write. */
  metrics(): readonly MetricSnapshot[];
  /**
   * One value of the last `window`, of all series that match; `undefined` when there is no data. Of a metric of your own
   * that does not exist (yet) too. Throws `OptionError`.
   */
  read(metric: string, options?: ReadOptions): number | undefined;
  /** The last minutes step by step, for charts; see {@link Timeline}. Throws `OptionError`. */
  timeline(metric: string, options?: TimelineOptions): readonly Timeline[];
  /** Reads every alert rule now. */
  evaluate(): void;
  /** The last minutes, 1 to 60; default 60. Precise to 5 s within the last 5 minutes, to a minute before. */
  report(options?: { readonly minutes?: number }): Report;
  stats(): MonitorStats;
  health(): Health;
  /** Stops listening and every timer. What was counted can still be read. */
  close(): void;
}

const OPTION_KEYS = [
  "prices",
  "semconv",
  "defaultAlerts",
  "alerts",
  "handlers",
  "grouping",
  "evaluateEvery",
  "maxSeries",
  "windowMemory",
] as const;

/** A monitor of the events of `runtime`. Throws `OptionError`. */
export function createMonitor(runtime: Runtime, options: MonitorOptions = {}): Monitor {
  const { prices, semconv, rules, handlers, grouping, evaluateEveryMs, maxSeries, windowBytes } = readOptions(options);
  const { clock, events } = runtime;
  const startedAt = clock.now();
  const wallOffset = new WallOffset();
  const registry = new Registry({
    maxSeries,
    windowBytes,
    onOverflow: (metric) => events.emit("monitor.overflow", undefined, { metric }),
  });
  const alerts = new Alerts(runtime, registry, { everyMs: evaluateEveryMs, startedAt, grouping });

  const stops = [
    ...recordCalls(runtime, registry, prices),
    ...recordPolicies(runtime, registry, (metric) => alerts.evaluate(metric)),
    ...recordOwn(runtime, registry, alerts),
  ];
  let health: { status: HealthStatus; since: number } = { status: "ok", since: clock.wall() };
  try {
    for (const handler of handlers) alerts.notify(handler);
    for (const rule of rules) alerts.add(rule);
  } catch (error) {
    close();
    throw error;
  }

  function close(): void {
    for (const stop of stops) stop();
    alerts.close();
  }

  return {
    counter: (name, chosen) => counterOf(registry, clock, definitionOf(name, "counter", chosen)),
    gauge: (name, chosen) => gaugeOf(registry, clock, definitionOf(name, "gauge", chosen)),
    histogram: (name, chosen) => histogramOf(registry, clock, definitionOf(name, "histogram", chosen)),
    timer: (name, chosen) => timerOf(registry, clock, definitionOf(name, "histogram", chosen)),
    observe: (names, observe) => registry.observed(names, isolated(events, functionOf("observe", observe))),
    alerts: {
      add: (rule) => alerts.add(rule),
      remove: (id) => alerts.remove(id),
      list: () => alerts.list(),
      notify: (handler, chosen) => alerts.notify(handler, chosen),
      silence: (chosen) => alerts.silence(chosen),
      unsilence: (id) => alerts.unsilence(id),
      silences: () => alerts.silences(),
    },
    evaluate: () => alerts.evaluate(),
    ...measuring(runtime, registry),
    setPrices: (chosen) => prices.set(chosen),
    priceOf: (...models) => prices.of(...models),
    metrics: () => named(snapshotOf(registry, clock.now()), semconv),
    read: (metric, chosen = {}) => valueRead(registry, readQuery(registry, metric, chosen), clock.now()),
    timeline: (metric, chosen = {}) =>
      timelineOf(registry, timelineQuery(registry, metric, chosen), {
        now: clock.now(),
        wallOffset: wallOffset.of(clock),
      }),
    report: (chosen = {}) => {
      knownKeys("report", chosen, ["minutes"]);
      const windowMs = numberIn("report.minutes", chosen.minutes ?? 60, 1, 60) * 60_000;
      return reportOf(registry, clock, { windowMs, startedAt, priced: !prices.isEmpty });
    },
    stats: () => statsOf(registry, alerts, clock.now(), !prices.isEmpty),
    health: () => {
      const { status, reasons } = judge(registry, alerts.list(), clock.now());
      if (status !== health.status) health = { status, since: clock.wall() };
      return { status, reasons, since: health.since };
    },
    close,
  };
}

function readOptions(options: MonitorOptions) {
  knownKeys("monitor", options, OPTION_KEYS);
  const { alerts = [] } = options;
  const prices = new PriceBook();
  prices.set(options.prices);
  if (!Array.isArray(alerts)) throw new OptionError("monitor.alerts", alerts, "an array of alert rules");
  const withDefaults = booleanOf("monitor.defaultAlerts", options.defaultAlerts ?? MONITOR_DEFAULTS.defaultAlerts);
  const evaluateEvery = options.evaluateEvery ?? MONITOR_DEFAULTS.evaluateEvery;
  return {
    prices,
    semconv: oneOf("monitor.semconv", options.semconv ?? MONITOR_DEFAULTS.semconv, SEMCONVS),
    rules: [...(withDefaults ? DEFAULT_ALERTS : []), ...(alerts as readonly AlertRule[])],
    handlers: readHandlers("monitor.handlers", options.handlers ?? []),
    grouping: readGrouping(options.grouping),
    evaluateEveryMs: durationMs("monitor.evaluateEvery", evaluateEvery, { min: 100, max: 3_600_000 }),
    maxSeries: integerIn("monitor.maxSeries", options.maxSeries ?? MONITOR_DEFAULTS.maxSeries, 2, 10_000),
    windowBytes: byteCount("monitor.windowMemory", options.windowMemory ?? MONITOR_DEFAULTS.windowMemory, {
      min: 64 * 1024,
    }),
  };
}

function statsOf(registry: Registry, alerts: Alerts, now: number, priced: boolean): MonitorStats {
  const sums = lifetimeSums(registry);
  let series = 0;
  let overflowed = 0;
  let refusedValues = 0;
  for (const metric of registry) {
    series += metric.size;
    overflowed += metric.overflowed;
    for (const one of metric) refusedValues += one.refused;
  }
  let inFlight = 0;
  for (const one of registry.gauge(DEFINITIONS.callsInFlight)) inFlight += one.at(now) ?? 0;
  return {
    ...totalsOf(sums, priced),
    inFlight,
    retries: sums(DEFINITIONS.retries.name),
    series,
    overflowed,
    refusedValues,
    windowBytes: registry.memory.bytes,
    windowReclaims: registry.memory.reclaims,
    alertsFiring: alerts.firing,
  };
}
