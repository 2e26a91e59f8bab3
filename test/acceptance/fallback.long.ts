import { expect, it } from "vitest";
import { expectLittleLost } from "./support/little-lost.ts";
import { runOutage } from "./support/partial-outage.ts";

it.each([1, 2, 3, 4, 5])(
  "a partial and then a whole outage of a minute each, at twenty calls a second (seed %i)",
  async (seed) => {
    const scenario = { requestsPerMinute: 300, oneDead: [30, 90], allDead: [120, 180], seconds: 220 } as const;
    const run = await runOutage({ ...scenario, seed });
    const [from, to] = scenario.allDead;
    console.log({
      seed,
      partly: run.calls(...scenario.oneDead),
      wholly: run.calls(from, to),
      capacityOfSpare: 360,
      rateLimitedAtSpare: run.rateLimitedAtSpare / run.requestsOfSpare,
      servedAfter: run.servedPerSecond(to + 10, to + 20),
      flips: run.flips.map(({ target, at }) => `${target.slice(0, 12)} ${at.toFixed(1)}`).join(", "),
    });
    expectLittleLost(run, scenario);
    expect(run.inFlight).toBe(0);
  },
  120_000,
);
