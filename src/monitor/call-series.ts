import type { FaultKind, ServedBy } from "../core/index.ts";
import { BoundedNames } from "./bounded-names.ts";
import { DEFINITIONS } from "./definitions.ts";
import type { Registry } from "./registry.ts";
import type { CounterSeries, GaugeSeries, HistogramSeries, Labels } from "./series.ts";

/** The metrics whose labels are operation, provider and model. */
export type CallMetrics = ReturnType<typeof callMetrics>;

export function callMetrics(registry: Registry) {
  return {
    operationDuration: registry.histogram(DEFINITIONS.operationDuration),
    timeToFirstChunk: registry.histogram(DEFINITIONS.timeToFirstChunk),
    tokenUsage: registry.histogram(DEFINITIONS.tokenUsage),
    calls: registry.counter(DEFINITIONS.calls),
    callsInFlight: registry.gauge(DEFINITIONS.callsInFlight),
    callDuration: registry.histogram(DEFINITIONS.callDuration),
    callWait: registry.histogram(DEFINITIONS.callWait),
    attempts: registry.counter(DEFINITIONS.attempts),
    attemptDuration: registry.histogram(DEFINITIONS.attemptDuration),
    retries: registry.counter(DEFINITIONS.retries),
    timeouts: registry.counter(DEFINITIONS.timeouts),
    streamInterruptions: registry.counter(DEFINITIONS.streamInterruptions),
    cacheLookups: registry.counter(DEFINITIONS.cacheLookups),
    cost: registry.counter(DEFINITIONS.cost),
    costSaved: registry.counter(DEFINITIONS.costSaved),
  };
}

export type CallOutcome = "success" | "error" | "cancelled" | "rejected";

/** The series of one way that calls can end. */
export interface EndSeries {
  readonly calls: CounterSeries;
  readonly operationDuration: HistogramSeries;
  readonly callDuration: HistogramSeries;
}

/** The series of one way that attempts can end. */
export interface AttemptSeries {
  readonly attempts: CounterSeries;
  readonly duration: HistogramSeries;
}

/**
 * The series of one operation, provider and model, looked up once and then at hand: a plain call costs a few
 * additions and no label set.
 */
export class CallSeries {
  readonly labels: Labels;
  readonly inFlight: GaugeSeries;
  readonly metrics: CallMetrics;
  #ends = new Map<string, EndSeries>();
  #attempts = new Map<string, AttemptSeries>();
  #tokens: readonly [input: HistogramSeries, output: HistogramSeries] | undefined;
  #cost: CounterSeries | undefined;

  constructor(metrics: CallMetrics, labels: Labels) {
    this.metrics = metrics;
    this.labels = labels;
    this.inFlight = metrics.callsInFlight.series(labels);
  }

  /** Of answers that came from there. */
  answered(servedBy: ServedBy): EndSeries {
    return this.#ends.get(servedBy) ?? this.#end(servedBy, "success", { served_by: servedBy });
  }

  /** Of calls that ended without an answer. */
  ended(outcome: CallOutcome, errorType: FaultKind): EndSeries {
    return this.#ends.get(errorType) ?? this.#end(errorType, outcome, { error_type: errorType });
  }

  attempt(first: boolean, errorType: FaultKind | undefined): AttemptSeries {
    const key = first ? (errorType ?? "") : `retry ${errorType ?? ""}`;
    let series = this.#attempts.get(key);
    if (series === undefined) {
      const end =
        errorType === undefined
          ? { ...this.labels, outcome: "success" }
          : { ...this.labels, outcome: "error", error_type: errorType };
      series = {
        attempts: this.metrics.attempts.series({ ...end, kind: first ? "first" : "retry" }),
        duration: this.metrics.attemptDuration.series(end),
      };
      this.#attempts.set(key, series);
    }
    return series;
  }

  get tokens(): readonly [input: HistogramSeries, output: HistogramSeries] {
    const { tokenUsage } = this.metrics;
    this.#tokens ??= [
      tokenUsage.series({ ...this.labels, token_type: "input" }),
      tokenUsage.series({ ...this.labels, token_type: "output" }),
    ];
    return this.#tokens;
  }

  get cost(): CounterSeries {
    this.#cost ??= this.metrics.cost.series(this.labels);
    return this.#cost;
  }

  #end(key: string, outcome: CallOutcome, how: Labels): EndSeries {
    const { metrics, labels } = this;
    const { error_type } = how;
    const series = {
      calls: metrics.calls.series({ ...labels, outcome, ...how }),
      operationDuration: metrics.operationDuration.series(
        error_type === undefined ? labels : { ...labels, error_type },
      ),
      callDuration: metrics.callDuration.series({ ...labels, outcome }),
    };
    this.#ends.set(key, series);
    return series;
  }
}

const OPERATIONS_MAX = 8;
const PROVIDERS_MAX = 16;
const MODELS_MAX = 64;

type ByOperation = Map<string, CallSeries>;

/** Every {@link CallSeries}, by names that are bounded: whatever is over the bound is `other`. */
export class CallSeriesBook {
  #metrics: CallMetrics;
  #operations = new BoundedNames(OPERATIONS_MAX);
  #providers = new BoundedNames(PROVIDERS_MAX);
  #models = new BoundedNames(MODELS_MAX);
  #byProvider = new Map<string, Map<string, ByOperation>>();
  #onOverflow: (() => void) | undefined;

  /** `onOverflow` is called once, when the first name finds no room. */
  constructor(metrics: CallMetrics, onOverflow: () => void) {
    this.#metrics = metrics;
    this.#onOverflow = onOverflow;
  }

  of(op = "unknown", provider = "unknown", model = "unknown"): CallSeries {
    return this.#byProvider.get(provider)?.get(model)?.get(op) ?? this.#admit(op, provider, model);
  }

  #admit(anyOp: string, anyProvider: string, anyModel: string): CallSeries {
    const op = this.#operations.of(anyOp);
    const provider = this.#providers.of(anyProvider);
    const model = this.#models.of(anyModel);
    if (op !== anyOp || provider !== anyProvider || model !== anyModel) {
      this.#onOverflow?.();
      this.#onOverflow = undefined;
    }
    const byModel = this.#byProvider.get(provider) ?? new Map<string, ByOperation>();
    this.#byProvider.set(provider, byModel);
    const byOperation = byModel.get(model) ?? new Map<string, CallSeries>();
    byModel.set(model, byOperation);
    const series = byOperation.get(op) ?? new CallSeries(this.#metrics, { op, provider, model });
    byOperation.set(op, series);
    return series;
  }
}
