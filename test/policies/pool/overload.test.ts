import { describe, expect, it } from "vitest";
import { jain, percentile, runLoad, waits } from "../../support/pool-load.ts";
import {
  alone,
  answerTimes,
  CROWD,
  ordinary,
  poolOf,
  serviceGap,
  servicePerMinute,
  tenTenants,
  URGENT,
  warm,
} from "../../support/pool-scenarios.ts";

const SEEDS = [1, 2, 3, 4, 5];
const MAX_QUEUE = 1_000;

describe("three times more calls than the pool can answer, a tenth of them urgent", () => {
  it.each(SEEDS)("leave the urgent ones as they were and refuse only the others (seed %i)", async (seed) => {
    const unloaded = await runLoad([URGENT], poolOf(MAX_QUEUE), 150, seed);
    const { calls } = await runLoad([URGENT, CROWD], poolOf(MAX_QUEUE), 150, seed);
    const urgent = calls.filter(({ source }) => source === URGENT);
    const crowd = calls.filter(({ source }) => source === CROWD);

    expect(urgent.filter(({ refused }) => refused)).toEqual([]);
    expect(percentile(answerTimes(urgent), 0.99)).toBeLessThan(1.1 * percentile(answerTimes(unloaded.calls), 0.99));
    expect(crowd.some(({ refused }) => refused)).toBe(true);
    const admitted = calls.filter(({ admittedAt }) => admittedAt !== undefined);
    expect(admitted.filter(({ source }) => source === CROWD).length / admitted.length).toBeGreaterThan(0.5);
    expect(Math.max(...waits(crowd))).toBeLessThan(150_000);
  });

  it("are told when it is worth to come back", async () => {
    const { calls } = await runLoad([URGENT, CROWD], poolOf(MAX_QUEUE), 300, 1);
    const told = calls.flatMap(({ retryAfterMs }) => retryAfterMs ?? []);
    // Those who waited to the end of a full queue have waited as long as those who were refused were told.
    const waited = percentile(waits(calls.filter((call) => call.source === CROWD && call.arrivedAt > 120_000)), 0.5);
    expect(percentile(told, 0.5) / waited).toBeGreaterThan(0.7);
    expect(percentile(told, 0.5) / waited).toBeLessThan(1.4);
  });
});

describe("ten tenants, one with 50 times the calls and one with prompts ten times as long", () => {
  it.each(SEEDS)("are served the same while all of them wait (seed %i)", async (seed) => {
    const tenants = tenTenants(1.5);
    const load = await runLoad(tenants, poolOf(5_000), 240, seed);
    const indexes = servicePerMinute(load, tenants, 4).map(jain);
    expect(Math.min(...indexes)).toBeGreaterThan(0.99);
    expect(serviceGap(load, tenants)).toBeLessThan(2);
    expect(load.utilisation).toBeGreaterThan(0.98);
  });

  it.each(SEEDS)("do not make those wait that want less than their share (seed %i)", async (seed) => {
    const tenants = tenTenants(0.5);
    const load = await runLoad(tenants, poolOf(5_000), 240, seed);
    const light = load.calls.filter((call) => ordinary(tenants).includes(call.source) && warm(call));
    const isolated = await Promise.all(ordinary(tenants).map((source) => alone(source, 240, seed)));
    expect(light.filter(({ refused }) => refused)).toEqual([]);
    expect(percentile(waits(light), 0.99)).toBeLessThan(2 * percentile(waits(isolated.flat()), 0.99));
  });
});
