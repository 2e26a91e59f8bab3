// Fifty runs of one's own options against a provider that fails, in virtual time; and a line with a defect, caught.
import { createOptimizer, type OptimizerOptions } from "breakwater";
import { formatSimulatedRun, type SimulateOptions, shrinkSimulation, simulate } from "breakwater/lab";

const own: SimulateOptions = {
  optimizer: { profile: "interactive", rateLimit: { requestsPerMinute: 500 }, pool: { concurrency: 20 } },
  provider: { requestsPerMinute: 500, latency: { firstToken: 400, perToken: 20 }, outputTokens: 10 },
  traffic: { perSecond: 12 },
  faults: 0.1,
};
const ends: Record<string, number> = {};
let broken = 0;
for (let seed = 1; seed <= 50; seed++) {
  const run = await simulate({ ...own, seed });
  if (run.violations.length > 0) broken++;
  for (const [end, count] of Object.entries(run.ends)) ends[end] = (ends[end] ?? 0) + count;
}
console.log("50 seeds:", ends, `rules broken on ${broken}`);

// The same with a limiter that was forgotten.
const unlimited = (options: OptimizerOptions) => createOptimizer({ ...options, rateLimit: false });
const strict: SimulateOptions = { ...own, optimizer: { rateLimit: { requestsPerMinute: 20 } }, create: unlimited };
for (let seed = 1; ; seed++) {
  const run = await simulate({ ...strict, seed });
  if (run.violations.length === 0) continue;
  const small = await shrinkSimulation(run, strict);
  console.log(
    `\nWithout a limiter, after ${run.scenario.actions.length} actions made ${small.scenario.actions.length}:`,
  );
  console.log(formatSimulatedRun(small).split("\n").slice(0, 2).join("\n"));
  break;
}
