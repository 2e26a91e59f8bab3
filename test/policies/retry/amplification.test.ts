import { describe, expect, it } from "vitest";
import {
  type Fault,
  type FaultKind,
  faultOf,
  type Line,
  type Outcome,
  pipeline,
  type Runtime,
  seededRandom,
  valueReply,
  whole,
} from "../../../src/core/index.ts";
import { retry } from "../../../src/policies/retry/index.ts";
import type { VirtualClock } from "../../../src/testing/virtual-clock.ts";
import { callOf, virtualRuntime } from "../../support/calls.ts";

const SEEDS = [1, 2, 3, 4, 5];
const CALL_MS = 2_000;
const EVERY_MS = 20;

interface Provider {
  requests: number;
  /** The share of requests that fail, and how. */
  failing: number;
  kind: FaultKind;
}

function asking(clock: VirtualClock, provider: Provider, random: () => number): () => Promise<Outcome> {
  return () =>
    new Promise((resolve) => {
      provider.requests++;
      const failed = random() < provider.failing;
      clock.timer(CALL_MS, () => {
        resolve(failed ? faultOf({ kind: provider.kind, error: new Error(provider.kind) }) : valueReply("hi", whole()));
      });
    });
}

/** An application whose SDK tries `sdkRetries` times more by itself, as that of OpenAI: not where we refuse. */
async function viaSdk(
  { clock, runtime }: { readonly clock: VirtualClock; readonly runtime: Runtime },
  line: Line,
  send: () => Promise<Outcome>,
  sdkRetries: number,
): Promise<Outcome> {
  for (let clientRetries = 0; ; clientRetries++) {
    const outcome = await line.execute(callOf(runtime, send, { clientRetries }));
    if (outcome.ok || outcome.kind === "refused" || clientRetries === sdkRetries) return outcome;
    await new Promise<void>((resolve) => void clock.timer(500 * 2 ** clientRetries, resolve));
  }
}

async function load(seed: number, failing: number, options: { sdkRetries?: number; kind?: FaultKind } = {}) {
  const virtual = virtualRuntime(seed);
  const { clock, runtime } = virtual;
  const provider: Provider = { requests: 0, failing: 0, kind: options.kind ?? "server_error" };
  const line = pipeline(retry({}, runtime));
  const send = asking(clock, provider, seededRandom(seed));
  // Some good time before, so that the budget is as full as it gets.
  for (let index = 0; index < 100; index++) {
    void viaSdk(virtual, line, send, 0);
    await clock.advance(EVERY_MS);
  }
  await clock.advance(10_000);
  Object.assign(provider, { requests: 0, failing });
  const calls = 120_000 / EVERY_MS;
  const outcomes: Promise<Outcome>[] = [];
  for (let index = 0; index < calls; index++) {
    outcomes.push(viaSdk(virtual, line, send, options.sdkRetries ?? 0));
    await clock.advance(EVERY_MS);
  }
  await clock.advance(60_000);
  const ended = await Promise.all(outcomes);
  expect(clock.pendingTimers).toBe(0);
  return { perCall: provider.requests / calls, success: ended.filter(({ ok }) => ok).length / calls, ended };
}

const isRefusal = (outcome: Outcome): boolean => !outcome.ok && (outcome as Fault).kind === "refused";

describe("retries in an outage of two minutes at 50 calls a second", () => {
  it("add at most 2 % to the load", async () => {
    for (const seed of SEEDS) {
      expect((await load(seed, 1)).perCall).toBeLessThanOrEqual(1.02);
      expect((await load(seed, 1, { kind: "timeout" })).perCall).toBeLessThanOrEqual(1.01);
    }
  });

  it("add at most 2 % also under an SDK that tries twice more by itself, whose retries are refused without a send", async () => {
    for (const seed of SEEDS) {
      const { perCall, ended } = await load(seed, 1, { sdkRetries: 2 });
      expect(perCall).toBeLessThanOrEqual(1.02);
      expect(ended.filter(isRefusal).length).toBeGreaterThan(5_000);
    }
  });
});

describe("retries of single failures", () => {
  it("bring 5 % of errors down to less than 0.35 %, also under an SDK that retries", async () => {
    for (const seed of SEEDS) {
      expect((await load(seed, 0.05)).success).toBeGreaterThanOrEqual(0.9965);
      expect((await load(seed, 0.05, { sdkRetries: 2 })).success).toBeGreaterThanOrEqual(0.9965);
    }
  });
});
