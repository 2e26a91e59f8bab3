import { functionOf, type Runtime, textOf } from "../core/index.ts";
import { BoundedNames } from "./bounded-names.ts";
import { DEFINITIONS } from "./definitions.ts";
import type { Registry } from "./registry.ts";

/** Watches functions that are no calls of a model: a query, a tool. */
export interface Measuring {
  /**
   * Runs `fn` and counts how long it took under `name`, until its promise settles where it gives one. Gives what `fn`
   * gives and throws what it throws. What begins only when it is awaited, such as a query of an SQL builder, must be
   * awaited within `fn`. Names beyond the first 64 are counted as `other`. Throws `OptionError`.
   */
  measure<T>(name: string, fn: () => T): T;
  /** The same function, measured each time it is called. Throws `OptionError`. */
  measured<This, Parameters extends unknown[], Result>(
    name: string,
    fn: (this: This, ...parameters: Parameters) => Result,
  ): (this: This, ...parameters: Parameters) => Result;
}

const NAMES_MAX = 64;

export function measuring({ clock, events }: Runtime, registry: Registry): Measuring {
  const metric = registry.histogram(DEFINITIONS.measuredDuration);
  const names = new BoundedNames(NAMES_MAX);

  const ended = (name: string, startedAt: number, ok: boolean): void => {
    const now = clock.now();
    const durationMs = now - startedAt;
    metric.series({ name, outcome: ok ? "success" : "error" }).record(durationMs / 1000, now);
    if (events.wants("function.measured")) events.emit("function.measured", undefined, { name, durationMs, ok });
  };
  const watched = <T>(name: string, run: () => T): T => {
    const startedAt = clock.now();
    let result: T;
    try {
      result = run();
    } catch (error) {
      ended(name, startedAt, false);
      throw error;
    }
    // Only a promise: to ask any other thenable, such as a query that is still to be sent, would send it.
    if (result instanceof Promise) {
      result.then(
        () => ended(name, startedAt, true),
        () => ended(name, startedAt, false),
      );
    } else {
      ended(name, startedAt, true);
    }
    return result;
  };
  return {
    measure(name, fn) {
      functionOf("measure.fn", fn);
      return watched(names.of(textOf("measure.name", name)), fn);
    },
    measured(name, fn) {
      functionOf("measured.fn", fn);
      const bounded = names.of(textOf("measured.name", name));
      return function (...parameters) {
        return watched(bounded, () => fn.apply(this, parameters));
      };
    },
  };
}
