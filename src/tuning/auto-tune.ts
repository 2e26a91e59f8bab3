import { type Line, OptionError, oneOf } from "../core/index.ts";
import type { Optimizer } from "../optimizer.ts";
import type { TuningEntry } from "./history.ts";
import { TUNABLE_KINDS, type TunableKind } from "./kinds.ts";
import { type AutoTuneOptions, readAutoTuneOptions } from "./options.ts";
import { Tuner } from "./tuner.ts";

/** A line that tunes itself. */
export interface AutoTune {
  /** Kinds of recommendations that are applied. */
  readonly kinds: readonly TunableKind[];
  /** Applies recommendations of that kind too, whatever the level. Throws `OptionError`. */
  enable(kind: TunableKind): void;
  /** Applies none of that kind any more, and takes back one that is being watched. Throws `OptionError`. */
  disable(kind: TunableKind): void;
  /** The latest 100 changes and what became of them, the last one last. */
  history(): readonly TuningEntry[];
  /** Stops. A change that is being watched is taken back; those that were kept stay. Call it before closing the optimizer. */
  stop(): void;
}

const tuners = new WeakMap<Line, Tuner>();

/**
 * Applies recommendations to the running line, one at a time. What follows a change is compared with what was before it
 * (answered calls, p95, refusals by the provider's limit, cost of an answer); it is taken back as soon as something got
 * worse, and also when nothing got better where that was the point. Between changes is a cool-down; one that did no good is
 * tried again after an hour, then two, four, up to a day.
 *
 * Options are changed by the policies' `update`: `optimizer.tune` and anybody else who changes one has the say.
 *
 * Tells `tuning.applied`, `tuning.kept` and `tuning.rolled_back`. Throws `OptionError`.
 */
export function autoTune(optimizer: Pick<Optimizer, "line" | "monitor">, options: AutoTuneOptions = {}): AutoTune {
  const settings = readAutoTuneOptions(options);
  const { line } = optimizer;
  // Each of two would take what the other does for its own.
  if (tuners.has(line)) {
    const accepted = "an optimizer that no other autoTune tunes: stop that one first";
    throw new OptionError("autoTune.optimizer", "tuned already", accepted);
  }
  const tuner = new Tuner(optimizer, settings);
  tuners.set(line, tuner);
  return {
    get kinds() {
      return [...tuner.kinds];
    },
    enable(kind) {
      tuner.kinds.add(oneOf("autoTune.enable", kind, TUNABLE_KINDS));
    },
    disable: (kind) => tuner.disable(oneOf("autoTune.disable", kind, TUNABLE_KINDS)),
    history: () => tuner.history.list(),
    stop() {
      tuner.stop();
      if (tuners.get(line) === tuner) tuners.delete(line);
    },
  };
}
