import { expect, it } from "vitest";
import { expectLittleLost } from "./support/little-lost.ts";
import { runOutage } from "./support/partial-outage.ts";

it("one of four deployments dead, then all of them: calls are answered by what is left, and come back", async () => {
  const scenario = { requestsPerMinute: 120, oneDead: [20, 80], allDead: [100, 160], seconds: 190 } as const;
  const run = await runOutage({ ...scenario, seed: 1 });
  expectLittleLost(run, scenario);
  expect(run.inFlight).toBe(0);
}, 60_000);
