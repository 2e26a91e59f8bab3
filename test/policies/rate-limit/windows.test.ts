import fc from "fast-check";
import { expect, it } from "vitest";
import { type Call, type Outcome, pipeline, valueReply, whole } from "../../../src/core/index.ts";
import { type RateLimitOptions, rateLimit } from "../../../src/policies/rate-limit/index.ts";
import { callOf, virtualRuntime } from "../../support/calls.ts";

const MINUTE_MS = 60_000;

interface Sent {
  readonly at: number;
  readonly client: string;
  readonly tokens: number;
}

interface Arrival {
  readonly gapMs: number;
  readonly client: string;
  readonly tokens: number;
  readonly priority: 1 | 5 | 9;
  readonly holdMs: number;
}

const arrival: fc.Arbitrary<Arrival> = fc.record({
  gapMs: fc.oneof({ weight: 4, arbitrary: fc.constant(0) }, fc.integer({ min: 0, max: 3_000 }), fc.constant(61_000)),
  client: fc.constantFrom("a", "b"),
  tokens: fc.integer({ min: 1, max: 400 }),
  priority: fc.constantFrom(1 as const, 5 as const, 9 as const),
  holdMs: fc.integer({ min: 0, max: 4_000 }),
});

const minute = fc.integer({ min: 1, max: 90 });
const options = fc.record({
  requestsPerMinute: minute,
  tokensPerMinute: fc.integer({ min: 200, max: 12_000 }),
  perClient: fc.record({ requestsPerMinute: minute }),
  concurrency: fc.integer({ min: 1, max: 20 }),
  exact: fc.boolean(),
  burst: fc.constantFrom("1s" as const, "5s" as const),
});

/** Sends all of it, each as soon as the limits let it, and tells when. */
async function sendAll(limits: RateLimitOptions, arrivals: readonly Arrival[]): Promise<Sent[]> {
  const { clock, runtime } = virtualRuntime();
  const exactly = (call: Call): number => call.inputChars / 4 + 8;
  const line = pipeline(rateLimit({ ...limits, tokens: exactly }, runtime));
  const sent: Sent[] = [];
  const calls: Promise<Outcome>[] = [];
  for (const { gapMs, client, tokens, priority, holdMs } of arrivals) {
    await clock.advance(gapMs);
    const usage = { inputTokens: tokens + 8, outputTokens: 0 };
    const send = async (): Promise<Outcome> => {
      sent.push({ at: clock.now(), client, tokens: tokens + 8 });
      await new Promise<void>((resolve) => void clock.timer(holdMs, resolve));
      return valueReply("hi", whole({ usage }));
    };
    calls.push(
      line.execute(callOf(runtime, send, { inputChars: tokens * 4, maxOutputTokens: 0, scope: { client, priority } })),
    );
  }
  await clock.run(Promise.all(calls));
  expect(clock.pendingTimers).toBe(0);
  return sent;
}

function mostInAMinute(sent: readonly Sent[], amountOf: (one: Sent) => number): number {
  let [most, sum, first] = [0, 0, 0];
  for (const one of sent) {
    sum += amountOf(one);
    for (let old = sent[first]; old !== undefined && old.at + MINUTE_MS <= one.at + 1e-6; old = sent[++first]) {
      sum -= amountOf(old);
    }
    most = Math.max(most, sum);
  }
  return most;
}

it("keeps every limit in every window, whatever arrives when and whichever limit it waits for", async () => {
  const property = fc.asyncProperty(
    options,
    fc.array(arrival, { minLength: 1, maxLength: 120 }),
    async (limits, all) => {
      const { requestsPerMinute, tokensPerMinute, perClient, exact, burst } = limits;
      const allowance = exact ? 1 : 1 + (burst === "1s" ? 1 : 5) / 60;
      const sent = await sendAll(limits, all);
      expect(sent).toHaveLength(all.length);
      expect(mostInAMinute(sent, () => 1)).toBeLessThanOrEqual(requestsPerMinute * allowance + 1e-6);
      for (const client of ["a", "b"]) {
        const own = sent.filter((one) => one.client === client);
        expect(mostInAMinute(own, () => 1)).toBeLessThanOrEqual(perClient.requestsPerMinute * allowance + 1e-6);
      }
      // A call larger than the limit goes alone; estimates are exact here.
      const tokens = mostInAMinute(sent, (one) => Math.min(one.tokens, tokensPerMinute));
      expect(tokens).toBeLessThanOrEqual(tokensPerMinute * (exact ? 1 : Math.max(1.02, allowance)) + 1e-6);
    },
  );
  await fc.assert(property, { numRuns: 10_000 });
}, 120_000);
