import type { AttemptKind, CallAnsweredBy, FaultKind, Usage } from "../core/index.ts";
import { BoundedNames } from "./bounded-names.ts";
import type { CallsInFlight, StartTimes } from "./calls-in-flight.ts";
import { DEFINITIONS } from "./definitions.ts";
import { OTHER } from "./metric.ts";
import type { Registry } from "./registry.ts";
import type { CounterSeries, GaugeSeries, HistogramSeries, Labels } from "./series.ts";

/** The metrics whose labels are operation, provider and model. */
export type CallMetrics = ReturnType<typeof callMetrics>;

export function callMetrics(registry: Registry) {
  return {
    operationDuration: registry.histogram(DEFINITIONS.operationDuration),
    timePerOutputChunk: registry.histogram(DEFINITIONS.timePerOutputChunk),
    overheadDuration: registry.histogram(DEFINITIONS.overheadDuration),
    streamEmpty: registry.counter(DEFINITIONS.streamEmpty),
    retryDelay: registry.histogram(DEFINITIONS.retryDelay),
    retriesExhausted: registry.counter(DEFINITIONS.retriesExhausted),
    retriesResumed: registry.counter(DEFINITIONS.retriesResumed),
    hedges: registry.counter(DEFINITIONS.hedges),
    timeToFirstChunk: registry.histogram(DEFINITIONS.timeToFirstChunk),
    tokenUsage: registry.histogram(DEFINITIONS.tokenUsage),
    tokens: registry.counter(DEFINITIONS.tokens),
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

/** Of input and of output; the others are parts of them, and made when there are such. */
interface TokenSeries {
  readonly usage: readonly [HistogramSeries, HistogramSeries];
  readonly total: readonly [CounterSeries, CounterSeries];
  cachedInput?: CounterSeries;
  reasoning?: CounterSeries;
}

/**
 * The series of one operation, provider and model, looked up once and then at hand: a plain call costs a few
 * additions and no label set.
 */
export class CallSeries {
  readonly labels: Labels;
  /** Whether names of it found no room: it stands for all such. */
  readonly isCollapsed: boolean;
  readonly inFlight: GaugeSeries;
  readonly startTimes: StartTimes;
  readonly metrics: CallMetrics;
  #answers = new Map<string, Map<CallAnsweredBy, EndSeries>>();
  #ends = new Map<string, EndSeries>();
  #attempts = new Map<AttemptKind, Map<FaultKind | undefined, AttemptSeries>>();
  #tokens: TokenSeries | undefined;
  #cost: CounterSeries | undefined;
  #overhead: HistogramSeries | undefined;
  #firstChunk: HistogramSeries | undefined;
  #chunkPause: HistogramSeries | undefined;

  constructor(metrics: CallMetrics, labels: Labels, isCollapsed: boolean, startTimes: StartTimes) {
    this.metrics = metrics;
    this.labels = labels;
    this.isCollapsed = isCollapsed;
    this.inFlight = metrics.callsInFlight.series(labels);
    this.startTimes = startTimes;
  }

  /** Of answers that came from there; `responseModel` is "" where it is the model that was asked for, or unknown. */
  answered(answeredBy: CallAnsweredBy, responseModel: string): EndSeries {
    let byAnswerer = this.#answers.get(responseModel);
    if (byAnswerer === undefined) {
      byAnswerer = new Map();
      this.#answers.set(responseModel, byAnswerer);
    }
    let series = byAnswerer.get(answeredBy);
    if (series === undefined) {
      series = this.#end("success", { served_by: answeredBy }, responseModel);
      byAnswerer.set(answeredBy, series);
    }
    return series;
  }

  /** Of calls that ended without an answer. */
  ended(outcome: CallOutcome, errorType: FaultKind): EndSeries {
    let series = this.#ends.get(errorType);
    if (series === undefined) {
      series = this.#end(outcome, { error_type: errorType }, "");
      this.#ends.set(errorType, series);
    }
    return series;
  }

  attempt(kind: AttemptKind, errorType: FaultKind | undefined): AttemptSeries {
    let byError = this.#attempts.get(kind);
    if (byError === undefined) {
      byError = new Map();
      this.#attempts.set(kind, byError);
    }
    let series = byError.get(errorType);
    if (series === undefined) {
      const end = errorType === undefined ? { outcome: "success" } : { outcome: "error", error_type: errorType };
      const labels = { ...this.labels, kind, ...end };
      series = {
        attempts: this.metrics.attempts.series(labels),
        duration: this.metrics.attemptDuration.series(labels),
      };
      byError.set(errorType, series);
    }
    return series;
  }

  /** What one request took. */
  used({ inputTokens, outputTokens, cachedInputTokens = 0, reasoningTokens = 0 }: Usage, now: number): void {
    this.#tokens ??= this.#tokenSeries();
    const tokens = this.#tokens;
    tokens.usage[0].record(inputTokens, now);
    tokens.usage[1].record(outputTokens, now);
    tokens.total[0].add(inputTokens, now);
    tokens.total[1].add(outputTokens, now);
    if (cachedInputTokens > 0) {
      tokens.cachedInput ??= this.#tokensOf("cached_input");
      tokens.cachedInput.add(cachedInputTokens, now);
    }
    if (reasoningTokens > 0) {
      tokens.reasoning ??= this.#tokensOf("reasoning");
      tokens.reasoning.add(reasoningTokens, now);
    }
  }

  get cost(): CounterSeries {
    this.#cost ??= this.metrics.cost.series(this.labels);
    return this.#cost;
  }

  get overhead(): HistogramSeries {
    this.#overhead ??= this.metrics.overheadDuration.series(this.labels);
    return this.#overhead;
  }

  get firstChunk(): HistogramSeries {
    this.#firstChunk ??= this.metrics.timeToFirstChunk.series(this.labels);
    return this.#firstChunk;
  }

  get chunkPause(): HistogramSeries {
    this.#chunkPause ??= this.metrics.timePerOutputChunk.series(this.labels);
    return this.#chunkPause;
  }

  #tokenSeries(): TokenSeries {
    const usageOf = (token_type: string) => this.metrics.tokenUsage.series({ ...this.labels, token_type });
    return {
      usage: [usageOf("input"), usageOf("output")],
      total: [this.#tokensOf("input"), this.#tokensOf("output")],
    };
  }

  #tokensOf(token_type: string): CounterSeries {
    return this.metrics.tokens.series({ ...this.labels, token_type });
  }

  #end(outcome: CallOutcome, how: Labels, responseModel: string): EndSeries {
    const { metrics, labels } = this;
    const { error_type } = how;
    return {
      calls: metrics.calls.series({ ...labels, outcome, ...how }),
      operationDuration: metrics.operationDuration.series({
        ...labels,
        ...(responseModel !== "" && { response_model: responseModel }),
        ...(error_type !== undefined && { error_type }),
      }),
      callDuration: metrics.callDuration.series({ ...labels, outcome }),
    };
  }
}

const OPERATIONS_MAX = 8;
const PROVIDERS_MAX = 16;
const MODELS_MAX = 64;

type ByOperation = Map<string, CallSeries>;

/** Every {@link CallSeries}, by names that are bounded: whatever is over the bound is `other`. */
export class CallSeriesBook {
  #metrics: CallMetrics;
  #inFlight: CallsInFlight;
  #operations = new BoundedNames(OPERATIONS_MAX);
  #providers = new BoundedNames(PROVIDERS_MAX);
  #models: BoundedNames;
  #responseModels: BoundedNames;
  #byProvider = new Map<string, Map<string, ByOperation>>();
  #onOverflow: (() => void) | undefined;

  /**
   * `isKnown` says of a model that it is one for sure: 64 such are let in beside the first 64 of all. `onOverflow` is
   * called once, when the first name finds no room.
   */
  constructor(
    metrics: CallMetrics,
    inFlight: CallsInFlight,
    { isKnown, onOverflow }: { isKnown: (model: string) => boolean; onOverflow: () => void },
  ) {
    this.#metrics = metrics;
    this.#inFlight = inFlight;
    this.#models = new BoundedNames(MODELS_MAX, isKnown);
    this.#responseModels = new BoundedNames(MODELS_MAX, isKnown);
    this.#onOverflow = onOverflow;
  }

  of(op = "unknown", provider = "unknown", model = "unknown"): CallSeries {
    return this.#byProvider.get(provider)?.get(model)?.get(op) ?? this.#admit(op, provider, model);
  }

  /** The label for the model that answered: "" where it is the one that was asked for, or unknown. */
  responseModel(model: string | undefined, asked: string | undefined): string {
    return model === undefined || model === asked ? "" : this.#responseModels.of(model);
  }

  #admit(anyOp: string, anyProvider: string, anyModel: string): CallSeries {
    const op = this.#operations.of(anyOp);
    const provider = this.#providers.of(anyProvider);
    const model = this.#models.of(anyModel);
    const isCollapsed = op === OTHER || provider === OTHER || model === OTHER;
    if (isCollapsed) {
      this.#onOverflow?.();
      this.#onOverflow = undefined;
    }
    const byModel = this.#byProvider.get(provider) ?? new Map<string, ByOperation>();
    this.#byProvider.set(provider, byModel);
    const byOperation = byModel.get(model) ?? new Map<string, CallSeries>();
    byModel.set(model, byOperation);
    const series =
      byOperation.get(op) ??
      new CallSeries(this.#metrics, { op, provider, model }, isCollapsed, this.#inFlight.of(provider));
    byOperation.set(op, series);
    return series;
  }
}
