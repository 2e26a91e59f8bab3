// What a second try saves of the time to first token, and what it costs: 5 % of first tokens ten times as slow; the same
// with a fixed delay and with a delay that is learned but has no budget; then everything ten times as slow. Virtual time.
// Run with: node --expose-gc bench/flow/hedging.ts
import type { Call, Next, Outcome, Policy, Runtime } from "../../src/core/index.ts";
import { hedge } from "../../src/policies/hedge/index.ts";
import { percentile, type Result, traffic, withStragglers } from "../../test/policies/hedge/traffic.ts";
import { virtualRuntime } from "../../test/support/calls.ts";
import { atMost, type Figures, type Measured, overSeeds, printFigures } from "./harness.ts";

const CALLS = { count: 6_000, everyMs: 50 };
const REST_MS = 2_000;

/** The textbook hedge: a second try after a fixed time, without condition or budget. */
function afterFixed(ms: number, { clock }: Runtime): Policy {
  const race = async (call: Call, next: Next): Promise<Outcome> => {
    const lanes = [call.cancellation.child(), call.cancellation.child()] as const;
    const send = async (lane: 0 | 1): Promise<readonly [0 | 1, Outcome]> => {
      const outcome = await next(call.with({ cancellation: lanes[lane].cancellation }));
      if (outcome.ok && outcome.body.kind === "stream") await outcome.body.prime();
      return [lane, outcome];
    };
    const first = send(0);
    const late = new Promise<undefined>((resolve) => void clock.timer(ms, () => resolve(undefined)));
    const [winner, outcome] = (await Promise.race([first, late])) ?? (await Promise.race([first, send(1)]));
    lanes[winner === 0 ? 1 : 0].cancellation.cancel("lost");
    return outcome;
  };
  return { name: "hedge", ring: "race", handle: race };
}

const CANDIDATES: Readonly<Record<string, (runtime: Runtime) => readonly Policy[]>> = {
  "breakwater hedge": (runtime) => [hedge({}, runtime)],
  "fixed delay, 500 ms": (runtime) => [afterFixed(500, runtime)],
  "fixed delay, 2 s": (runtime) => [afterFixed(2_000, runtime)],
};

async function run(seed: number, policiesOf: (runtime: Runtime) => readonly Policy[], factor: number): Promise<Result> {
  const virtual = virtualRuntime(seed);
  const policies = policiesOf(virtual.runtime);
  const usual = { firstMs: withStragglers, restMs: REST_MS };
  if (factor > 1) await traffic(virtual, policies, usual, { count: 1_000, everyMs: 50, seed });
  const slower = { ...usual, firstMs: (random: () => number) => factor * withStragglers(random) };
  return traffic(virtual, policies, slower, { ...CALLS, count: factor > 1 ? 2_000 : CALLS.count, seed });
}

const results: Record<string, Measured<Figures>> = {};
for (const [name, policiesOf] of Object.entries(CANDIDATES)) {
  results[name] = await overSeeds(async ({ seed }) => {
    const bare = await run(seed, () => [], 1);
    const hedged = await run(seed, policiesOf, 1);
    const slow = await run(seed, policiesOf, 10);
    return {
      "p99 ms": percentile(hedged.ttft, 0.99),
      "of bare": percentile(hedged.ttft, 0.99) / percentile(bare.ttft, 0.99),
      "more requests": hedged.sent / bare.sent - 1,
      "more tokens": hedged.tokens / bare.tokens - 1,
      "more, all slow": slow.sent / 2_000 - 1,
    };
  });
}
printFigures("a second try for late first tokens", results, {
  "of bare": atMost(0.3),
  "more requests": atMost(0.06),
  "more tokens": atMost(0.04),
  "more, all slow": atMost(0.01),
});
