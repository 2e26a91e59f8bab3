import { seededRandom } from "../../../src/core/index.ts";
import type { Alert, MonitorOptions } from "../../../src/monitor/index.ts";
import { DEFAULT_ALERTS } from "../../../src/monitor/index.ts";
import { monitored, type Rig } from "../support.ts";
import { called } from "./support.ts";

/**
 * Calls come at random, `rate` a second on average, and fail with the probability that `errorRate` gives for the second.
 * All calls of a step are told of at once.
 */
async function traffic(
  { clock, runtime }: Pick<Rig, "clock" | "runtime">,
  { seconds, rate, seed, errorRate, stepMs }: TrafficOptions,
): Promise<void> {
  const random = seededRandom(seed);
  for (let ms = 0; ms < seconds * 1000; ms += stepMs) {
    const calls = arrivals((rate * stepMs) / 1000, random);
    for (let call = 0; call < calls; call++) {
      if (random() < errorRate(ms / 1000)) called(runtime, { error: "server_error" });
      else called(runtime);
    }
    await clock.advance(stepMs);
  }
}

export interface TrafficOptions {
  readonly seconds: number;
  readonly rate: number;
  readonly seed: number;
  readonly stepMs: number;
  errorRate(second: number): number;
}

// Poisson, by Knuth's product of random numbers.
function arrivals(mean: number, random: () => number): number {
  const limit = Math.exp(-mean);
  let count = 0;
  for (let product = random(); product > limit; product *= random()) count++;
  return count;
}

/** One error in a hundred, and for half a minute of every half hour thirty. */
const NOISE = (second: number): number => (second % 1_800 >= 900 && second % 1_800 < 930 ? 0.3 : 0.01);

/** What a day of noise makes the built-in rules send. */
export async function noisyDay(rate: number, seed: number): Promise<readonly Alert[]> {
  const rig = guarded();
  await traffic(rig, { seconds: 86_400, rate, seed, errorRate: NOISE, stepMs: 2_500 });
  rig.monitor.close();
  return rig.sent;
}

export function guarded(options: MonitorOptions = {}): Rig {
  return monitored({ alerts: DEFAULT_ALERTS, ...options });
}

/** Seconds from the beginning of trouble to the first message of that level, after ten minutes of noise. */
export async function detection(
  level: Alert["level"],
  { rate, errorRate, seed, seconds }: { rate: number; errorRate: number; seed: number; seconds: number },
): Promise<number> {
  const rig = guarded();
  await traffic(rig, { seconds: 600 + (seed % 10) / 2, rate, seed, errorRate: () => 0.01, stepMs: 500 });
  const began = rig.clock.now();
  let found = Number.POSITIVE_INFINITY;
  rig.runtime.events.on("alert", (alert) => {
    if (alert.level === level && alert.state === "firing") found = Math.min(found, rig.clock.now() - began);
  });
  await traffic(rig, { seconds, rate, seed: seed + 1_000, errorRate: () => errorRate, stepMs: 500 });
  rig.monitor.close();
  return found / 1000;
}
