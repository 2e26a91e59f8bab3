import OpenAI from "openai";
import { describe, expect, it } from "vitest";
import { createOptimizer, seededRandom } from "../../src/index.ts";
import { countingFetch, type StreamKind, startStreamServer } from "./support/stream-server.ts";

const STREAMS = 500;
const SLOTS = 64;

describe("five hundred streams over HTTP with 64 slots", () => {
  it("hold a slot as long as their body lives, however they end", { timeout: 60_000 }, async () => {
    await using server = await startStreamServer(5);
    const random = seededRandom(6);
    const { fetch, live } = countingFetch();
    const optimizer = createOptimizer({
      environment: {},
      cache: false,
      fetch,
      pool: { concurrency: SLOTS, maxQueue: STREAMS },
      throttle: false,
      retry: { attempts: 1 },
      breaker: { failureRate: 1 },
      timeout: { idle: "1500ms", firstToken: "20s", attempt: "60s" },
    });
    const client = new OpenAI({ apiKey: "k", baseURL: server.url, fetch: optimizer.fetch, maxRetries: 0 });
    const phases: string[] = [];
    optimizer.on("timeout.fired", ({ phase }) => void phases.push(phase));
    const running = (): number => (optimizer.stats().policies["pool"] as { readonly running: number }).running;

    const counts = { whole: 0, abandoned: 0, cut: 0 };
    let stalled = 0;
    const one = async (index: number): Promise<void> => {
      const kind: StreamKind = index % 40 === 0 ? "silent" : index % 40 === 20 ? "keepalive" : "healthy";
      if (kind !== "healthy") stalled++;
      const leaveAfter = kind === "healthy" && random() < 0.21 ? Math.floor(random() * 40) : Number.POSITIVE_INFINITY;
      let tokens = 0;
      try {
        const stream = await client.chat.completions.create({
          model: "m",
          stream: true,
          messages: [
            { role: "system", content: `Stream ${index}` },
            { role: "user", content: kind },
          ],
        });
        for await (const _chunk of stream) if (++tokens > leaveAfter) break;
        if (tokens > leaveAfter) counts.abandoned++;
        else counts.whole++;
      } catch {
        counts.cut++;
      }
    };

    let samples = 0;
    const wrong: string[] = [];
    const sampler = setInterval(() => {
      samples++;
      if (running() !== live() || live() > SLOTS) wrong.push(`${running()} slots, ${live()} bodies`);
    }, 10);
    await Promise.all(Array.from({ length: STREAMS }, (_, index) => one(index)));
    clearInterval(sampler);

    expect(samples).toBeGreaterThan(50);
    expect(wrong).toEqual([]);
    expect(counts).toEqual({ whole: STREAMS - counts.abandoned - stalled, abandoned: counts.abandoned, cut: stalled });
    expect(counts.abandoned).toBeGreaterThan(STREAMS / 8);
    // Not one that was healthy: exactly those that stalled, whether they sent comments or nothing.
    expect(phases).toEqual(Array.from({ length: stalled }, () => "idle"));
    expect([running(), live()]).toEqual([0, 0]);
    for (let waited = 0; server.open() > 0 && waited < 200; waited++)
      await new Promise((resolve) => setTimeout(resolve, 10));
    expect(server.open()).toBe(0);
    for (const [resource, { inFlight }] of Object.entries(optimizer.ledger()))
      expect(inFlight, resource).toBeCloseTo(0, 6);
    await optimizer.close();
  });
});
