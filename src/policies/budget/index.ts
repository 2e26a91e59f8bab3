import { defaultRuntime, type Policy, type Runtime } from "../../core/index.ts";
import { Budget } from "./budget.ts";
import { type BudgetOptions, readBudgetOptions } from "./options.ts";
import type { BudgetSnapshot } from "./snapshot.ts";

export { BUDGET_DEFAULTS, type BudgetLimits, type BudgetOptions, type PriceFunction } from "./options.ts";
export type { BudgetSnapshot, PurseState } from "./snapshot.ts";

export interface BudgetPolicy extends Policy {
  /**
   * Changes options while calls run; what is spent stays spent. The objects among them are replaced as a whole. Throws
   * `OptionError` and then changes nothing.
   */
  update(options: BudgetOptions): void;
  snapshot(): BudgetSnapshot;
  /**
   * Adds what an earlier process has spent, as its `snapshot()` told; once, at the start. Days and months that are over
   * count nothing. Throws `OptionError` and then changes nothing.
   */
  restore(snapshot: Pick<BudgetSnapshot, "spent">): void;
}

/**
 * Keeps spending within limits: for the process, each client, model, credential and value of a label, per day and per
 * month of the UTC calendar. Stands in the attempt ring, before all that waits, so that every try is paid for and an
 * answer from a cache is not.
 *
 * What a call is expected to cost is reserved before it is sent and settled by the usage that its answer reports. A call
 * for which there is no money is refused with `BudgetExceededError`, whose `retryAfterMs` is the time until the day or
 * month is over.
 *
 * Throws `OptionError`.
 */
export function budget(options: BudgetOptions = {}, runtime: Runtime = defaultRuntime()): BudgetPolicy {
  let settings = readBudgetOptions(options);
  const kept = new Budget(settings, runtime);
  return {
    name: "budget",
    ring: "attempt",
    runtime,
    handle: (call, next) => kept.handle(call, next),
    update(changes) {
      settings = readBudgetOptions(changes, settings);
      kept.configure(settings);
    },
    snapshot: () => kept.snapshot(),
    restore: ({ spent }) => kept.restore(spent),
  };
}
