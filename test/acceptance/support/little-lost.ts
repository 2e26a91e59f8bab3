import { expect } from "vitest";
import type { OutageRun } from "./partial-outage.ts";

interface Phases {
  readonly requestsPerMinute: number;
  readonly oneDead: readonly [from: number, to: number];
  readonly allDead: readonly [from: number, to: number];
}

/** What is expected of a fallback in a partial outage and in a whole one. */
export function expectLittleLost(run: OutageRun, { requestsPerMinute, oneDead, allDead }: Phases): void {
  const partly = run.calls(...oneDead);
  expect(partly.answered / partly.all).toBeGreaterThanOrEqual(0.99);

  const [from, to] = allDead;
  const wholly = run.calls(from, to);
  const capacityOfSpare = (1.2 * requestsPerMinute * (to - from)) / 60;
  expect(wholly.answered).toBeGreaterThanOrEqual(0.99 * capacityOfSpare);
  expect(wholly.urgentAnswered).toBeGreaterThanOrEqual(0.99);
  expect(run.rateLimitedAtSpare / run.requestsOfSpare).toBeLessThanOrEqual(0.01);

  // Ten seconds after the end of the outage the deployments serve as many calls as come; what has gathered is beside it.
  expect(run.calls(to + 10, to + 20).urgentAnswered).toBeGreaterThanOrEqual(0.99);
  expect(run.servedPerSecond(to + 10, to + 20)).toBeGreaterThanOrEqual(0.95 * run.callsPerSecond);

  // One target is given up and returned to twice, the others once: never to and fro.
  const during = (since: number, until: number): number[] => {
    const byTarget = new Map<string, number>();
    for (const { target, at } of run.flips) {
      if (at >= since && at < until) byTarget.set(target, (byTarget.get(target) ?? 0) + 1);
    }
    return [...byTarget.values()];
  };
  expect(during(0, from)).toEqual([2]);
  expect(during(from, Number.POSITIVE_INFINITY)).toEqual([2, 2, 2, 2]);
  expect(Math.max(...run.flips.map(({ at }) => at))).toBeLessThanOrEqual(to + 10);
}
