import { OptionError } from "../core/index.ts";
import { boundsFor } from "./bounds.ts";
import { checkLabelKey, Metric, type MetricDefinition } from "./metric.ts";
import { CounterSeries, GaugeSeries, HistogramSeries } from "./series.ts";
import { WindowMemory } from "./window-memory.ts";

const NAME = /^[a-zA-Z][a-zA-Z0-9_]*(\.[a-zA-Z][a-zA-Z0-9_]*)*$/;
const NAME_LENGTH_MAX = 128;
const METRICS_MAX = 200;

export type AnyMetric = Metric<CounterSeries> | Metric<GaugeSeries> | Metric<HistogramSeries>;

/** Brings metrics up to date whose values lie elsewhere until somebody asks. */
export type Observer = (now: number) => void;

/** All metrics of one monitor, by name. */
export class Registry {
  readonly memory: WindowMemory;
  #metrics = new Map<string, AnyMetric>();
  #observers = new Map<string, Observer>();
  #maxSeries: number;
  #onOverflow: (metric: string) => void;

  constructor(options: { maxSeries: number; windowBytes: number; onOverflow: (metric: string) => void }) {
    this.memory = new WindowMemory(options.windowBytes);
    this.#maxSeries = options.maxSeries;
    this.#onOverflow = options.onOverflow;
  }

  get(name: string): AnyMetric | undefined {
    return this.#metrics.get(name);
  }

  *[Symbol.iterator](): Generator<AnyMetric> {
    yield* this.#metrics.values();
  }

  /** Has `observe` bring metrics up to date whenever one of them is read. Gives back how to stop. */
  observed(names: readonly string[], observe: Observer): () => void {
    for (const name of names) this.#observers.set(name, observe);
    return () => {
      for (const name of names) if (this.#observers.get(name) === observe) this.#observers.delete(name);
    };
  }

  /** Brings a metric up to date, or all of them. */
  refresh(now: number, name?: string): void {
    if (name !== undefined) this.#observers.get(name)?.(now);
    else for (const observe of new Set(this.#observers.values())) observe(now);
  }

  /** The metric of that name, made on first use. Throws {@link OptionError} when it exists as another kind. */
  counter(definition: MetricDefinition): Metric<CounterSeries> {
    return this.#define(definition, (labels) => new CounterSeries(labels));
  }

  gauge(definition: MetricDefinition): Metric<GaugeSeries> {
    return this.#define(definition, (labels) => new GaugeSeries(labels, definition.ttlMs));
  }

  histogram(definition: MetricDefinition): Metric<HistogramSeries> {
    const bounds = definition.bounds ?? boundsFor(definition.unit);
    return this.#define(definition, (labels) => new HistogramSeries(labels, this.memory, bounds));
  }

  #define<S extends CounterSeries | GaugeSeries | HistogramSeries>(
    definition: MetricDefinition,
    make: (labels: Readonly<Record<string, string>>) => S,
  ): Metric<S> {
    const { name, kind } = definition;
    const known = this.#metrics.get(name);
    if (known !== undefined) {
      if (known.definition.kind === kind) return known as unknown as Metric<S>;
      throw new OptionError(
        "metric.name",
        name,
        `another name: there is already a ${known.definition.kind} of that one`,
      );
    }
    checkDefinition(definition);
    if (this.#metrics.size >= METRICS_MAX) {
      throw new OptionError("metric.name", name, `at most ${METRICS_MAX} metrics; use labels to tell cases apart`);
    }
    const onOverflow = (): void => this.#onOverflow(name);
    const metric = new Metric<S>(definition, { maxSeries: this.#maxSeries, make, onOverflow });
    this.#metrics.set(name, metric as unknown as AnyMetric);
    return metric;
  }
}

function checkDefinition({ name, labels }: MetricDefinition): void {
  if (typeof name !== "string" || name.length > NAME_LENGTH_MAX || !NAME.test(name)) {
    throw new OptionError("metric.name", name, 'words of letters, digits and underscores joined by dots: "app.docs"');
  }
  for (const key of labels ?? []) checkLabelKey(`${name}.labels`, key, undefined);
}
