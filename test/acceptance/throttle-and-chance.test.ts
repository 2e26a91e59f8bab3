import { describe, expect, it } from "vitest";
import { createOptimizer, seededRandom } from "../../src/index.ts";
import { simulatedFetch, VirtualClock } from "../../src/testing/index.ts";

const CALLERS = 100;

/** Always one more answer for each caller; gives the throttle's limit at the end of each second. */
async function limits(seed: number, stream: boolean, seconds: number): Promise<number[]> {
  const clock = new VirtualClock();
  // Times to the first token are spread as they were recorded; tokens come with a wide spread of their own.
  const fetch = simulatedFetch({ clock, seed, latency: { perTokenSigma: 0.6 }, logSize: 0 });
  const optimizer = createOptimizer({
    clock,
    random: seededRandom(seed),
    fetch,
    cache: false,
    coalesce: false,
    pool: { concurrency: 2 * CALLERS },
    monitor: false,
    environment: {},
  });
  let stopped = false;
  const caller = async (id: number): Promise<void> => {
    for (let n = 0; !stopped; n++) {
      const content = `Question ${n} of ${id}`;
      const body = JSON.stringify({ model: "gpt-4o-mini", stream, messages: [{ role: "user", content }] });
      const init = { method: "POST", headers: { authorization: "Bearer sk-one" }, body };
      await (await optimizer.fetch("https://api.openai.com/v1/chat/completions", init)).text();
    }
  };
  for (let id = 0; id < CALLERS; id++) void caller(id);
  const seen: number[] = [];
  for (let second = 0; second < seconds; second++) {
    await clock.advance(1000);
    const [target] = Object.values(optimizer.stats().policies["throttle"] as Record<string, { limit: number }>);
    seen.push(target?.limit ?? Number.NaN);
  }
  stopped = true;
  await clock.advance(120_000);
  await optimizer.close();
  return seen;
}

describe("a provider that has room for everybody, and whose calls differ as real ones do", () => {
  it.each([
    [1, true],
    [2, true],
    [1, false],
    [2, false],
    [3, false],
  ])("is not throttled (seed %i, streamed %s)", { timeout: 60_000 }, async (seed, stream) => {
    const warm = (await limits(seed, stream, 90)).slice(45);
    expect(Math.min(...warm)).toBeGreaterThanOrEqual(CALLERS);
  });
});
