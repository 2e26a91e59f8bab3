import { expect, it } from "vitest";
import { type Call, faultOf, type Outcome, type Scope, valueReply } from "../../../src/core/index.ts";
import { type CacheOptions, cache } from "../../../src/policies/cache/index.ts";
import { openaiWire, readRequest, readWhole } from "../../../src/providers/openai/index.ts";
import { callOf, virtualRuntime } from "../../support/calls.ts";
import { mapTier } from "./support/stores.ts";

type Body = { readonly input: readonly string[] };

/** A cache before a provider whose embedding of a text is its length. */
function bench(options: Partial<CacheOptions> = {}) {
  const { clock, runtime } = virtualRuntime();
  const policy = cache({ tiers: [mapTier()], ttl: "1m", ...options }, runtime);
  const sent: (readonly string[])[] = [];
  let answer = (input: readonly string[]): Outcome | object => ({
    data: input.map(({ length }, index) => ({ object: "embedding", index, embedding: [length] })),
    usage: { prompt_tokens: input.length, total_tokens: input.length },
  });
  const send = async (call: Call): Promise<Outcome> => {
    const input = [(call.request as Body).input].flat();
    sent.push(input);
    const given = answer(input);
    if ("ok" in given) return given as Outcome;
    const text = JSON.stringify({ object: "list", model: "m", ...given });
    const raw = { status: 200, statusText: "", headers: [], url: "", body: text };
    return valueReply(text, readWhole({ operation: "embeddings", provider: "openai" }, raw));
  };
  const ask = async (input: readonly string[], scope: Scope = {}) => {
    const url = new URL("https://api.openai.com/v1/embeddings");
    const reading = readRequest("POST", url, JSON.stringify({ model: "m", input }));
    if (reading === undefined) throw new Error("not read");
    const call = callOf(runtime, send, { ...reading, wire: openaiWire, scope });
    const outcome = await policy.handle(call, (asked) => asked.send(asked));
    return { call, outcome };
  };
  const lengths = ({ outcome }: { outcome: Outcome }): unknown => {
    if (!outcome.ok || outcome.body.kind !== "value") return outcome;
    return JSON.parse(String(outcome.body.value)).data.map(({ embedding }: { embedding: number[] }) => embedding[0]);
  };
  return { clock, policy, sent, ask, lengths, answerWith: (other: typeof answer) => (answer = other) };
}

it("says of the whole what was found, and counts each input", async () => {
  const { ask, policy, sent } = bench();
  const first = await ask(["a", "bb"]);
  const { call, outcome } = await ask(["bb", "ccc", "a"]);
  const steps = call.trace.explain(call).steps.map(({ what, detail }) => [what, detail]);
  expect(steps).toEqual([["partial", "2 of 3"]]);
  expect(outcome).toMatchObject({ servedBy: "upstream" });
  expect(first.call.trace.explain(first.call).steps[0]).toMatchObject({ what: "miss", detail: "0 of 2" });
  const hit = await ask(["ccc", "a"]);
  expect(hit.outcome).toMatchObject({ servedBy: "cache" });
  expect(hit.call.trace.tier).toBe("map");
  expect(policy.stats()).toMatchObject({ hits: { map: 4 }, stores: 3 });
  expect(sent).toEqual([["a", "bb"], ["ccc"]]);
});

it("is renewed in one request behind an answer that is stale", async () => {
  const { ask, lengths, sent, clock } = bench({ staleWhileRevalidate: "10m", jitter: 0 });
  await ask(["a", "bb"]);
  await ask(["ccc"]);
  await clock.advance(61_000);
  expect(lengths(await ask(["a", "bb", "ccc"]))).toEqual([1, 2, 3]);
  await clock.advance(10);
  await new Promise(setImmediate);
  await clock.advance(10);
  expect(sent.slice(2)).toEqual([["a", "bb", "ccc"]]);
  expect(lengths(await ask(["ccc", "a"]))).toEqual([3, 1]);
  expect(sent).toHaveLength(3);
});

it("is asked as a whole when what comes for a part cannot be told apart", async () => {
  const { ask, lengths, sent, answerWith, policy } = bench();
  await ask(["a", "bb"]);
  answerWith((input) => ({ data: input.slice(1).map(({ length }, index) => ({ index, embedding: [length] })) }));
  expect(lengths(await ask(["a", "ccc", "dddd"]))).toEqual([3, 4]);
  expect(sent.slice(1)).toEqual([
    ["ccc", "dddd"],
    ["a", "ccc", "dddd"],
  ]);
  expect(policy.stats().stores).toBe(2);
});

it("is answered from what is stale when the provider cannot be asked for it", async () => {
  const { ask, lengths, sent, clock, answerWith } = bench({ staleIfError: "10m", jitter: 0 });
  await ask(["a", "bb"]);
  await clock.advance(61_000);
  for (const kind of ["server_error", "rate_limited"] as const) {
    answerWith(() => faultOf({ kind, error: new Error(kind), status: 500 }));
    expect(lengths(await ask(["bb", "a"]))).toEqual([2, 1]);
  }
  answerWith(() => faultOf({ kind: "bad_request", error: new Error("no"), status: 400 }));
  const { outcome } = await ask(["bb", "a", "ccc"]);
  expect(outcome).toMatchObject({ ok: false, kind: "bad_request" });
  expect(sent.length).toBeGreaterThan(2);
});

it("keeps the inputs of different clients apart", async () => {
  const { ask, sent } = bench();
  await ask(["a", "bb"], { client: "one" });
  await ask(["a", "bb"], { client: "two" });
  await ask(["bb", "a"], { client: "one" });
  expect(sent).toHaveLength(2);
});

it("is invalidated by its tags, input by input", async () => {
  const { ask, sent, policy } = bench();
  await ask(["a", "bb"], { tags: ["x"] });
  await ask(["ccc", "dddd"], { tags: ["y"] });
  await policy.invalidateTags(["x"]);
  await ask(["a", "ccc", "dddd"], { tags: ["y"] });
  expect(sent.slice(2)).toEqual([["a"]]);
});

it("lets others have their turn while it is large", async () => {
  const { ask, lengths } = bench();
  const inputs = Array.from({ length: 2048 }, (_, index) => "x".repeat(index % 100) + index);
  let turns = 0;
  const turn = () => {
    turns++;
    if (turns < 1000) setImmediate(turn);
  };
  setImmediate(turn);
  expect(lengths(await ask(inputs))).toHaveLength(2048);
  expect(turns).toBeGreaterThan(10);
});

it("is not used for a call that goes past the cache", async () => {
  const { ask, sent, policy } = bench({ when: "deterministic" });
  await ask(["a", "bb", "a"], { cache: "bypass" });
  expect(sent).toEqual([["a", "bb", "a"]]);
  expect(policy.stats().bypassed).toBe(1);
  await ask(["a", "bb"]);
  await ask(["a", "bb"]);
  expect(sent).toHaveLength(2);
});
