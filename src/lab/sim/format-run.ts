import type { SimulatedRun } from "./simulate.ts";

/** What a simulation found, as text: how its calls ended, and each broken rule with the actions that led to it. */
export function formatSimulatedRun(simulation: SimulatedRun): string {
  const { seed, violations, ends, attempts, steps, simulatedMs, scenario, digest } = simulation;
  const told = Object.entries(ends).map(([end, count]) => `${count} ${end}`);
  const lines = [
    `seed ${seed}: ${told.join(", ")}; ${attempts} attempts, ${steps} steps, ${(simulatedMs / 1000).toFixed(1)} s, digest ${digest}`,
  ];
  if (violations.length === 0) return `${lines.join("")}\nevery rule held`;
  for (const { rule, at, step, detail } of violations)
    lines.push(`broken at ${at} ms (step ${step}): ${rule}: ${detail}`);
  lines.push(`optimizer ${JSON.stringify(scenario.optimizer)}`);
  lines.push(`provider  ${JSON.stringify(scenario.provider)}, faults ${scenario.faultRate}`);
  for (const action of scenario.actions) lines.push(`  ${JSON.stringify(action)}`);
  return lines.join("\n");
}
