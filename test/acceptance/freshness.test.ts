import { describe, expect, it } from "vitest";
import { createOptimizer, type OptimizerOptions, seededRandom } from "../../src/index.ts";
import { type ProviderLogEntry, simulatedFetch, VirtualClock } from "../../src/testing/index.ts";

const SECOND_MS = 1000;
const OUTAGE = { from: 60 * SECOND_MS, to: 90 * SECOND_MS };
/** The default: the longest that a circuit stays open before it lets a call try. */
const MAX_OPEN_MS = 15 * SECOND_MS;

/** One question, ten times a second for two minutes, of an optimizer whose provider is down for half of one. */
async function hotQuestion(stream: boolean, cache: object, more: OptimizerOptions = {}) {
  const clock = new VirtualClock();
  const fetch = simulatedFetch({
    clock,
    seed: 1,
    latency: { firstToken: 300, firstTokenSigma: 0, perToken: 5 },
    outputTokens: 20,
    faults: [{ ...OUTAGE, fault: { kind: "status", status: 503 } }],
  });
  const optimizer = createOptimizer({ clock, random: seededRandom(1), fetch, environment: {}, cache, ...more });
  let billed = 0;
  optimizer.on("call.completed", ({ servedBy, usage }) => {
    if (servedBy === "upstream") billed += usage?.outputTokens ?? 0;
  });
  optimizer.on("cache.refreshed", ({ usage }) => {
    billed += usage?.outputTokens ?? 0;
  });
  const body = JSON.stringify({
    model: "gpt-4o-mini",
    messages: [{ role: "user", content: "The news?" }],
    ...(stream && { stream, stream_options: { include_usage: true } }),
  });
  const ends: { readonly at: number; readonly ok: boolean; readonly waitedMs: number }[] = [];
  const ask = async (): Promise<void> => {
    const at = clock.now();
    const response = await optimizer.fetch("https://api.openai.com/v1/chat/completions", {
      method: "POST",
      headers: { authorization: "Bearer sk-one" },
      body,
    });
    const text = await response.text();
    ends.push({ at, ok: response.ok && (!stream || text.includes("[DONE]")), waitedMs: clock.now() - at });
  };
  for (let n = 0; n < 1200; n++) {
    void ask();
    await clock.advance(100);
  }
  await clock.advance(60 * SECOND_MS);
  await optimizer.close();
  const { log } = fetch.provider;
  const sent = log.reduce((sum, { status, outputTokens }) => sum + (status === 200 ? outputTokens : 0), 0);
  return { ends, billed, sent, log };
}

/** When the provider answered again after its outage. */
function refreshedAt(log: readonly ProviderLogEntry[]): number | undefined {
  return log.find(({ at, status }) => at >= OUTAGE.to && status === 200)?.at;
}

describe("a question that is asked all the time, while its provider is down for half a minute", () => {
  it.each([
    ["whole", false],
    ["streamed", true],
  ])("is answered at once, always (%s)", { timeout: 60_000 }, async (_form, stream) => {
    const { ends, billed, sent, log } = await hotQuestion(stream, { ttl: "1s", staleWhileRevalidate: "1m" });
    expect(ends).toHaveLength(1200);
    expect(ends.every(({ ok }) => ok)).toBe(true);
    const afterWarmUp = ends.filter(({ at }) => at >= SECOND_MS);
    expect(Math.max(...afterWarmUp.map(({ waitedMs }) => waitedMs))).toBe(0);
    expect(log.length).toBeLessThanOrEqual(132);
    expect(refreshedAt(log)).toBeLessThanOrEqual(OUTAGE.to + MAX_OPEN_MS + SECOND_MS);
    expect(billed).toBe(sent);
  });

  it("is refreshed within two seconds of its end, where no circuit keeps calls from trying", {
    timeout: 60_000,
  }, async () => {
    const { ends, log } = await hotQuestion(false, { ttl: "1s", staleWhileRevalidate: "1m" }, { breaker: false });
    expect(ends.every(({ ok }) => ok)).toBe(true);
    expect(refreshedAt(log)).toBeLessThanOrEqual(OUTAGE.to + 2 * SECOND_MS);
  });

  it("is always answered with stale-if-error, too, and fails without", { timeout: 60_000 }, async () => {
    const covered = await hotQuestion(false, { ttl: "1s", staleIfError: "1m" });
    expect(covered.ends.every(({ ok }) => ok)).toBe(true);
    expect(covered.billed).toBe(covered.sent);
    const bare = await hotQuestion(false, { ttl: "1s" });
    expect(bare.ends.filter(({ ok }) => !ok).length).toBeGreaterThan(100);
  });
});
