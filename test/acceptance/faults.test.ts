import { readFileSync } from "node:fs";
import { join } from "node:path";
import OpenAI from "openai";
import { describe, expect, it } from "vitest";
import { createOptimizer, type OptimizerOptions, seededRandom, targetOf, withOptimization } from "../../src/index.ts";
import { FAULT_PRESETS, type FaultPreset, presetFetch } from "../../src/lab/index.ts";
import { VirtualClock } from "../../src/testing/index.ts";

const SECOND_MS = 1000;
// The budget of failoverbench: up to two retries, 30 s for a silent provider, one fallback.
const OPTIONS: OptimizerOptions = {
  profile: "production",
  cache: false,
  retry: { attempts: 3 },
  timeout: { attempt: "60s", firstToken: "30s", idle: "15s" },
};
const BUFFERED: OptimizerOptions = { ...OPTIONS, retry: { attempts: 3, commit: "complete" } };

interface Result {
  readonly ok: boolean;
  readonly text: string;
  readonly model: string | undefined;
  readonly usage: boolean;
  readonly finish: string | undefined;
  readonly status: number | undefined;
  readonly code: string | null | undefined;
  readonly message: string;
  readonly ms: number;
}

/** A client of the OpenAI SDK whose provider has the fault, and what it was sent. */
function stand(id: FaultPreset["id"], options: OptimizerOptions, withFallback: boolean) {
  const clock = new VirtualClock();
  const fetch = presetFetch(id, { clock });
  const bare = new OpenAI({
    apiKey: "sk-one",
    baseURL: "https://api.openai.com/v1",
    fetch: fetch as typeof globalThis.fetch,
  });
  const optimizer = createOptimizer({
    ...options,
    fallback: withFallback && { targets: [targetOf({ model: "fallback", maxInputTokens: 100_000 })] },
    clock,
    random: seededRandom(1),
    environment: {},
  });
  const client = withOptimization(bare, optimizer);
  const expected = (model: string): string => fetch.provider.answerTo("chat", bodyFor(model));
  const sentTo = (model: string) => fetch.provider.log.filter((entry) => entry.model === model);
  return { clock, client, optimizer, expected, sentTo };
}

type Stand = ReturnType<typeof stand>;

const bodyFor = (model: string) => ({
  model,
  messages: [{ role: "user" as const, content: "What is a gateway good for?" }],
  max_tokens: 200,
});

async function ask({ client, clock }: Pick<Stand, "client" | "clock">): Promise<Result> {
  const startedAt = clock.now();
  const seen = {
    text: "",
    model: undefined as string | undefined,
    usage: false,
    finish: undefined as string | undefined,
  };
  try {
    const stream = await client.chat.completions.create({
      ...bodyFor("primary"),
      stream: true,
      stream_options: { include_usage: true },
    });
    for await (const chunk of stream) {
      seen.text += chunk.choices[0]?.delta.content ?? "";
      seen.model = chunk.model;
      seen.finish = chunk.choices[0]?.finish_reason ?? seen.finish;
      seen.usage ||= (chunk.usage?.completion_tokens ?? 0) > 0;
    }
    return { ok: true, ...seen, status: 200, code: undefined, message: "", ms: clock.now() - startedAt };
  } catch (error) {
    const { status, code, message } = error as { status?: number; code?: string | null; message: string };
    return { ok: false, ...seen, status, code, message, ms: clock.now() - startedAt };
  }
}

async function run(id: FaultPreset["id"], options = OPTIONS, withFallback = false) {
  const made = stand(id, options, withFallback);
  const result = await made.clock.run(ask(made));
  return { ...made, result, tries: made.sentTo("primary") };
}

function gaps(tries: readonly { readonly at: number }[]): number[] {
  return tries.slice(1).map(({ at }, index) => at - (tries[index]?.at ?? 0));
}

describe("a production optimizer in front of a provider that fails", () => {
  it("S01: waits as long as a 429 says, and asks once more", async () => {
    const { result, tries, expected } = await run("S01");
    expect(result).toMatchObject({ ok: true, text: expected("primary") });
    expect(tries).toHaveLength(2);
    expect(gaps(tries)[0]).toBeGreaterThanOrEqual(2 * SECOND_MS);
    expect(result.ms).toBeLessThan(5 * SECOND_MS);
  });

  it("S02: does not hammer a provider that always says 429, and gives its 429", async () => {
    const { result, tries } = await run("S02");
    expect(result).toMatchObject({ ok: false, status: 429, code: "rate_limit_exceeded" });
    expect(tries.length).toBeLessThanOrEqual(3);
    expect(Math.min(...gaps(tries))).toBeGreaterThan(0);
  });

  it.each(["S03", "S05"] as const)("%s: answers by a second try", async (id) => {
    const { result, tries, expected } = await run(id);
    expect(result).toMatchObject({ ok: true, text: expected("primary") });
    expect(tries).toHaveLength(2);
    expect(result.ms).toBeLessThan(5 * SECOND_MS);
  });

  it("S04: gives the provider's own 503 after few tries", async () => {
    const { result, tries } = await run("S04");
    expect(result).toMatchObject({ ok: false, status: 503 });
    expect(tries).toHaveLength(3);
    expect(result.ms).toBeLessThan(10 * SECOND_MS);
  });

  it("S06: gives up a silent provider within the limits", async () => {
    const { result, tries } = await run("S06");
    expect(result.ok).toBe(false);
    expect(tries).toHaveLength(3);
    expect(tries.every(({ aborted }) => aborted)).toBe(true);
    expect(result.ms).toBeLessThanOrEqual(100 * SECOND_MS);
  });

  it("S07: has the patience for a first token that is slower than usual and within its limit", async () => {
    const { result, tries, expected } = await run("S07");
    expect(result).toMatchObject({ ok: true, text: expected("primary") });
    expect(tries).toHaveLength(1);
  });

  it.each(["S08", "S14"] as const)("%s: never takes a cut stream for a whole one", async (id) => {
    const { result, expected } = await run(id);
    expect(result.ok).toBe(false);
    expect(expected("primary").startsWith(result.text)).toBe(true);
    expect(result.finish).toBeUndefined();
  });

  it("S09: notices a stall by the idle limit, and is well afterwards", async () => {
    const { result, optimizer, clock, client } = await run("S09");
    expect(result.ok).toBe(false);
    expect(result.ms).toBeLessThan(17 * SECOND_MS);
    expect(optimizer.ledger()["slots"]?.inFlight).toBe(0);
    const after = client.chat.completions.create({ ...bodyFor("fallback") });
    expect((await clock.run(after)).choices[0]?.finish_reason).toBe("stop");
  });

  it("S10: hands out nothing of a broken event, and ends with an error", async () => {
    const { result, expected } = await run("S10");
    expect(result.ok).toBe(false);
    expect(expected("primary").startsWith(result.text)).toBe(true);
  });

  it("S11: is content with an answer that lacks its last line", async () => {
    const { result, expected, tries } = await run("S11");
    expect(result).toMatchObject({ ok: true, text: expected("primary"), usage: true, finish: "stop" });
    expect(result.ms).toBeLessThan(2 * SECOND_MS);
    expect(tries).toHaveLength(1);
  });

  it.each([
    ["S12", "context_length_exceeded"],
    ["S13", "content_policy_violation"],
  ] as const)("%s: does not repeat a request that is refused for what it is", async (id, code) => {
    const { result, tries } = await run(id);
    expect(result).toMatchObject({ ok: false, status: 400, code });
    expect(tries).toHaveLength(1);
  });

  it("S15: leaves the provider alone in an outage of a minute, and serves soon after", {
    timeout: 60_000,
  }, async () => {
    const { results, tries } = await flap(false);
    expect(tries.filter(({ at }) => at < 60 * SECOND_MS).length).toBeLessThanOrEqual(20);
    expect(firstServedAfter(results, 60 * SECOND_MS)).toBeLessThanOrEqual(90 * SECOND_MS);
  });

  it("S16: bills nothing for tries that failed", async () => {
    const { optimizer } = await run("S16");
    const { inputTokens, outputTokens } = optimizer.ledger();
    expect([inputTokens?.settled ?? 0, outputTokens?.settled ?? 0]).toEqual([0, 0]);
  });
});

describe("the same with another model to fall back on", () => {
  const rescued = async (id: FaultPreset["id"], options = OPTIONS) => {
    const made = await run(id, options, true);
    expect(made.result).toMatchObject({ ok: true, text: made.expected("fallback"), model: "fallback", usage: true });
    return made;
  };

  it.each(["S02", "S04", "S16"] as const)("%s: answers by the other model, and says so", async (id) => {
    const { tries } = await rescued(id);
    expect(tries.length).toBeLessThanOrEqual(3);
  });

  it("S06: goes to the other model after the first limit", async () => {
    const { result } = await rescued("S06");
    expect(result.ms).toBeLessThanOrEqual(100 * SECOND_MS);
  });

  it("S07: goes to the other model when the limit of the first token is short", async () => {
    const timeout = { firstToken: "10s" } as const;
    const { result } = await rescued("S07", { ...OPTIONS, retry: { attempts: 1 }, timeout });
    expect(result.ms).toBeLessThan(15 * SECOND_MS);
  });

  it.each(["S08", "S09", "S14"] as const)("%s: gives the whole answer where streams are held back", async (id) => {
    const { result } = await rescued(id, BUFFERED);
    expect(result.ms).toBeLessThan(60 * SECOND_MS);
  });

  it("S12: answers by the model with the larger context, without another try at the first", async () => {
    const { tries } = await rescued("S12");
    expect(tries).toHaveLength(1);
  });

  it("S13: gives the provider's reason instead of asking around", async () => {
    const { result, tries, sentTo } = await run("S13", OPTIONS, true);
    expect(result).toMatchObject({ ok: false, status: 400, code: "content_policy_violation" });
    expect([tries.length, sentTo("fallback").length]).toEqual([1, 0]);
  });

  it("S15: serves every call through an outage of a minute, and returns", { timeout: 60_000 }, async () => {
    const { results, tries } = await flap(true);
    expect(results.filter(({ ok }) => !ok)).toEqual([]);
    expect(tries.filter(({ at }) => at < 60 * SECOND_MS).length).toBeLessThanOrEqual(45);
    const back = results.find(({ startedAt, model }) => startedAt >= 60 * SECOND_MS && model === "primary");
    expect(back?.startedAt).toBeLessThanOrEqual(90 * SECOND_MS);
  });
});

it("there are sixteen presets, each with a row in the documentation", () => {
  const ids = Array.from({ length: 16 }, (_, index) => `S${String(index + 1).padStart(2, "0")}`);
  const page = readFileSync(join(import.meta.dirname, "../../docs/simulate.md"), "utf8");
  expect(FAULT_PRESETS.map(({ id }) => id)).toEqual(ids);
  expect([...page.matchAll(/^\| (S\d\d) \|/gm)].map(([, id]) => id)).toEqual(ids);
});

/** Twenty-five calls, one every four seconds, as the provider is down for a minute. */
async function flap(withFallback: boolean) {
  const made = stand("S15", OPTIONS, withFallback);
  const results: (Result & { readonly startedAt: number })[] = [];
  for (let n = 0; n < 25; n++) {
    const startedAt = made.clock.now();
    void ask(made).then((result) => results.push({ ...result, startedAt }));
    await made.clock.advance(4 * SECOND_MS);
  }
  await made.clock.advance(120 * SECOND_MS);
  expect(results).toHaveLength(25);
  return { results, tries: made.sentTo("primary") };
}

function firstServedAfter(results: readonly (Result & { readonly startedAt: number })[], at: number): number {
  return Math.min(...results.filter(({ ok, startedAt }) => ok && startedAt >= at).map(({ startedAt }) => startedAt));
}
