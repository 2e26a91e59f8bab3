import { describe, expect, it } from "vitest";
import { createOptimizer, type HedgeSnapshot, seededRandom } from "../../src/index.ts";
import { VirtualClock } from "../../src/testing/index.ts";
import { traffic, withStragglers } from "../policies/hedge/traffic.ts";

async function hedgedUnder(requestsPerMinute: number): Promise<HedgeSnapshot> {
  const clock = new VirtualClock();
  const optimizer = createOptimizer({
    environment: {},
    clock,
    random: seededRandom(3),
    cache: false,
    coalesce: false,
    throttle: false,
    rateLimit: { requestsPerMinute },
    hedge: { budget: 1 },
  });
  const { policies, runtime } = optimizer.line;
  await traffic(
    { clock, runtime },
    policies,
    { firstMs: withStragglers, restMs: 1_000 },
    { count: 2_000, everyMs: 100, seed: 5 },
  );
  await optimizer.close();
  return optimizer.stats().policies["hedge"] as HedgeSnapshot;
}

describe("hedging in an optimizer", () => {
  it("makes second tries while there is quota for them, and next to none when the calls need nine tenths of it", async () => {
    const [plenty, scarce] = [await hedgedUnder(60_000), await hedgedUnder(667)];
    expect(plenty.hedged).toBeGreaterThan(50);
    expect(plenty.withheld.spare).toBe(0);
    expect(scarce.hedged).toBeLessThan(plenty.hedged / 10);
    expect(scarce.withheld.spare).toBeGreaterThan(50);
  });
});
