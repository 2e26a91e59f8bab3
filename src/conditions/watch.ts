import {
  type Duration,
  defaultRuntime,
  durationMs,
  errorName,
  functionOf,
  knownKeys,
  numberIn,
  type Runtime,
  type Timer,
} from "../core/index.ts";
import { type ConditionName, type ConditionSample, sampleConditions } from "./sample.ts";
import { type ConditionSource, processConditions } from "./source.ts";

/** From which values on the process is taken to be in a bad condition; what is absent is not watched. */
export interface ConditionThresholds {
  /** Share of the processors that the process may use, from 0 to 1. */
  readonly cpu?: number | undefined;
  /** Share of the container's memory limit, or of the machine's memory, from 0 to 1. */
  readonly memory?: number | undefined;
  /** Share of the JavaScript heap's limit, from 0 to 1. */
  readonly heap?: number | undefined;
  /** The longest that the event loop was late within a sample. */
  readonly loopDelay?: Duration | undefined;
  /** Share of the time that the event loop was at work, from 0 to 1. */
  readonly loopUtilization?: number | undefined;
}

/** A condition reached its threshold, or is well below it again. */
export interface ConditionChange {
  readonly condition: ConditionName;
  readonly exceeded: boolean;
  /** A share of 1; milliseconds for `loopDelay`. */
  readonly value: number;
  readonly threshold: number;
}

export interface ConditionOptions extends ConditionThresholds {
  /** Time between two samples. Default `"1s"`. */
  readonly every?: Duration | undefined;
  /** Called for every change. One that throws harms nobody. */
  readonly onThreshold?: ((change: ConditionChange) => void) | undefined;
  /** Called with every sample. One that throws harms nobody. */
  readonly onSample?: ((sample: ConditionSample) => void) | undefined;
  /** Default this process. */
  readonly source?: ConditionSource | undefined;
}

export interface ConditionWatch {
  /** The last sample; `undefined` before the first. */
  readonly sample: ConditionSample | undefined;
  /** Conditions that have reached their threshold and are not well below it again. */
  readonly exceeded: readonly ConditionName[];
  /** Stops sampling. */
  close(): void;
}

export const CONDITION_DEFAULTS = { every: "1s" } as const;

// A value that hangs about its threshold must not be told again and again.
const CALM = 0.9;
const SHARES = ["cpu", "memory", "heap", "loopUtilization"] as const;
const OPTION_KEYS = [...SHARES, "loopDelay", "every", "onThreshold", "onSample", "source"];

/** What is watched, and how often. */
export interface ConditionRules {
  readonly thresholds: ReadonlyMap<ConditionName, number>;
  readonly everyMs: number;
}

/** Reads the options of a watch. Throws {@link OptionError} naming `option`. */
export function readConditionOptions(option: string, options: ConditionOptions): ConditionRules {
  knownKeys(option, options, OPTION_KEYS);
  const thresholds = new Map<ConditionName, number>();
  for (const name of SHARES) {
    const value = options[name];
    if (value !== undefined) thresholds.set(name, numberIn(`${option}.${name}`, value, 0, 1));
  }
  if (options.loopDelay !== undefined) {
    thresholds.set("loopDelay", durationMs(`${option}.loopDelay`, options.loopDelay, { min: 1 }));
  }
  for (const name of ["onThreshold", "onSample"] as const) {
    if (options[name] !== undefined) functionOf(`${option}.${name}`, options[name]);
  }
  return {
    thresholds,
    everyMs: durationMs(`${option}.every`, options.every ?? CONDITION_DEFAULTS.every, { min: 10 }),
  };
}

/**
 * Samples the process's own condition in the background and tells when a threshold is reached, by `onThreshold` and the
 * event `condition.changed`. It keeps no process alive.
 *
 * Throws {@link OptionError} for a wrong option.
 */
export function watchConditions(options: ConditionOptions = {}, runtime: Runtime = defaultRuntime()): ConditionWatch {
  return new Watch(readConditionOptions("conditions", options), options, runtime);
}

class Watch implements ConditionWatch {
  sample: ConditionSample | undefined;
  readonly #rules: ConditionRules;
  readonly #options: ConditionOptions;
  readonly #runtime: Runtime;
  readonly #sampler: ReturnType<typeof sampleConditions>;
  readonly #exceeded = new Set<ConditionName>();
  #timer: Timer;

  constructor(rules: ConditionRules, options: ConditionOptions, runtime: Runtime) {
    this.#rules = rules;
    this.#options = options;
    this.#runtime = runtime;
    this.#sampler = sampleConditions(options.source ?? processConditions(), runtime.clock.now());
    this.#timer = this.#next();
  }

  get exceeded(): readonly ConditionName[] {
    return [...this.#exceeded];
  }

  close(): void {
    this.#timer.cancel();
    this.#sampler.close();
  }

  #next(): Timer {
    return this.#runtime.clock.background(this.#rules.everyMs, () => {
      this.#timer = this.#next();
      this.#look();
    });
  }

  #look(): void {
    const sample = this.#sampler.sample(this.#runtime.clock.now());
    this.sample = sample;
    for (const [condition, threshold] of this.#rules.thresholds) {
      const value = sample[condition];
      const before = this.#exceeded.has(condition);
      const exceeded = value >= (before ? CALM * threshold : threshold);
      if (exceeded === before) continue;
      if (exceeded) this.#exceeded.add(condition);
      else this.#exceeded.delete(condition);
      this.#tell({ condition, exceeded, value, threshold });
    }
    this.#guarded(this.#options.onSample, sample);
  }

  #tell(change: ConditionChange): void {
    this.#runtime.events.emit("condition.changed", undefined, { ...change });
    this.#guarded(this.#options.onThreshold, change);
  }

  #guarded<T>(callback: ((value: T) => void) | undefined, value: T): void {
    try {
      callback?.(value);
    } catch (error) {
      this.#runtime.events.emit("listener.failed", undefined, {
        listenerOf: "condition.changed",
        error: errorName(error),
      });
    }
  }
}
