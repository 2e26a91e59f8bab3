import type { Action, Scenario } from "./scenario.ts";
import { type SimulatedRun, type SimulateOptions, simulate } from "./simulate.ts";

/**
 * A smaller scenario that breaks the same rule: actions are left out, many at a time and then fewer, for as long as the
 * rule is still broken. Gives `failing` itself when it broke none.
 * Algorithm: Zeller and Hildebrandt, "Simplifying and isolating failure-inducing input", 2002, without its complements.
 */
export async function shrinkSimulation(
  failing: SimulatedRun,
  options: Pick<SimulateOptions, "create"> = {},
): Promise<SimulatedRun> {
  const rule = failing.violations[0]?.rule;
  if (rule === undefined) return failing;
  let smallest = failing;
  for (let size = Math.ceil(failing.scenario.actions.length / 2); size >= 1; size = Math.floor(size / 2)) {
    for (let from = 0; from < smallest.scenario.actions.length; ) {
      const scenario = without(smallest.scenario, from, size);
      const tried = await simulate({ ...options, scenario });
      if (tried.violations[0]?.rule === rule) smallest = tried;
      else from += size;
    }
  }
  return smallest;
}

function without(scenario: Scenario, from: number, count: number): Scenario {
  const actions: readonly Action[] = scenario.actions.toSpliced(from, count);
  return { ...scenario, actions };
}
