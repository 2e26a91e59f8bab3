/**
 * The most calls in any minute, as a share of the limit, where as many as may go come just before and just after the turn
 * of a minute, and at random: beside Bottleneck's reservoir and p-queue's interval. Virtual time, worst of five seeds.
 * Run with: node --expose-gc bench/flow/windows.ts
 */
import Bottleneck from "bottleneck";
import PQueue from "p-queue";
import { pipeline, valueReply, whole } from "../../src/core/index.ts";
import { type RateLimitOptions, rateLimit } from "../../src/policies/rate-limit/index.ts";
import { callOf, virtualRuntime } from "../../test/support/calls.ts";
import { atMost, type Figures, type Measured, overSeeds, printFigures } from "./harness.ts";
import { inVirtualTime } from "./virtual-globals.ts";

const LIMIT = 600;
const MINUTE_MS = 60_000;

type Scheduler = (run: () => Promise<void>) => unknown;
type Build = (virtual: ReturnType<typeof virtualRuntime>) => Scheduler;

const ours =
  (options: RateLimitOptions): Build =>
  ({ runtime }) => {
    const line = pipeline(rateLimit(options, runtime));
    return (run) => line.execute(callOf(runtime, () => run().then(() => valueReply("hi", whole()))));
  };

const CANDIDATES: Readonly<Record<string, Build>> = {
  "rateLimit()": ours({ requestsPerMinute: LIMIT }),
  "rateLimit(), exact": ours({ requestsPerMinute: LIMIT, exact: true }),
  "Bottleneck, reservoir": () => {
    const limiter = new Bottleneck({
      reservoir: LIMIT,
      reservoirRefreshAmount: LIMIT,
      reservoirRefreshInterval: MINUTE_MS,
    });
    return (run) => limiter.schedule(run);
  },
  "p-queue, interval": () => {
    const queue = new PQueue({ intervalCap: LIMIT, interval: MINUTE_MS });
    return (run) => queue.add(run);
  },
};

function mostInAMinute(sent: readonly number[]): number {
  let [most, first] = [0, 0];
  for (const [index, at] of sent.entries()) {
    while ((sent[first] ?? at) <= at - MINUTE_MS) first++;
    most = Math.max(most, index - first + 1);
  }
  return most;
}

const results: Record<string, Measured<Figures>> = {};
for (const [name, build] of Object.entries(CANDIDATES)) {
  results[name] = await overSeeds(async ({ seed }) => {
    const figures: Record<string, number> = {};
    for (const arrivals of ["at the turn", "at random"] as const) {
      const virtual = virtualRuntime(seed);
      const { clock, runtime } = virtual;
      const sent: number[] = [];
      await inVirtualTime(clock, async () => {
        const schedule = build(virtual);
        const ask = (): unknown => schedule(async () => void sent.push(clock.now()));
        ask();
        for (let minute = 0; minute < 5; minute++) {
          const start = clock.now();
          if (arrivals === "at the turn") {
            await clock.advance(MINUTE_MS - 2_000);
            for (let n = 0; n < 1.5 * LIMIT; n++) ask();
          } else {
            for (let n = 0; n < LIMIT; n++) {
              await clock.advance((2 * runtime.random() * MINUTE_MS) / LIMIT);
              ask();
            }
          }
          await clock.advance(Math.max(0, start + MINUTE_MS - clock.now()));
        }
        await clock.advance(5 * MINUTE_MS);
      });
      figures[`most, ${arrivals}`] = mostInAMinute(sent) / LIMIT;
    }
    return figures;
  });
}
printFigures("the most in any minute, of the limit", results, {
  "most, at the turn": atMost(1 + 1 / 60),
  "most, at random": atMost(1 + 1 / 60),
});
