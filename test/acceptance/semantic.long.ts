import { describe, expect, it } from "vitest";
import { bestThreshold, clopperPearson, runTraffic } from "../support/semantic-run.ts";
import { labelledTraffic } from "../support/semantic-traffic.ts";

const MAX_ERROR_RATE = 0.01;

describe("ten thousand labelled questions of many kinds", () => {
  it.each([1, 2, 3])(
    "are served within the error rate, more often than by the best threshold (seed %i)",
    async (seed) => {
      const traffic = labelledTraffic(10_000, seed);
      const { hits, wrong, snapshot } = await runTraffic(traffic, { mode: "verified", maxErrorRate: MAX_ERROR_RATE });
      const { judged } = await runTraffic(traffic, { mode: "shadow", guards: [] });
      const best = bestThreshold(judged, MAX_ERROR_RATE);
      console.log({ seed, asked: traffic.length, hits, wrong, judged: snapshot.judged, best });
      expect(hits).toBeGreaterThan(0.1 * traffic.length);
      expect(clopperPearson(wrong, hits, 0.95)).toBeLessThanOrEqual(MAX_ERROR_RATE);
      expect(hits).toBeGreaterThan(best.hits);
    },
  );
});
