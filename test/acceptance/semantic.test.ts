import { describe, expect, it } from "vitest";
import { createFetch } from "../../src/clients/index.ts";
import { createRuntime, pipeline } from "../../src/core/index.ts";
import { cache } from "../../src/policies/cache/index.ts";
import { coalesce } from "../../src/policies/coalesce/index.ts";
import { type SemanticPolicy, semantic } from "../../src/policies/semantic/index.ts";
import { memory } from "../../src/stores/index.ts";
import { simulatedFetch } from "../../src/testing/index.ts";
import { hashedEmbed } from "../support/hashed-embedder.ts";
import { bestThreshold, clopperPearson, runTraffic } from "../support/semantic-run.ts";
import { labelledTraffic } from "../support/semantic-traffic.ts";

const MAX_ERROR_RATE = 0.01;

// Paraphrases, rewordings, negations, swapped numbers and names, the same words in another order, unique problems.
describe("labelled questions of many kinds", () => {
  const traffic = labelledTraffic(3000, 1);

  it("are served with a proven error rate, more often than any static threshold could", {
    timeout: 60_000,
  }, async () => {
    const verified = await runTraffic(traffic, { mode: "verified", maxErrorRate: MAX_ERROR_RATE });
    const { hits, wrong } = verified;
    expect(hits).toBeGreaterThan(0.1 * traffic.length);
    expect(clopperPearson(wrong, hits, 0.95)).toBeLessThanOrEqual(MAX_ERROR_RATE);
    const unguarded = await runTraffic(traffic, { mode: "shadow", guards: [] });
    expect(hits).toBeGreaterThan(bestThreshold(unguarded.judged, MAX_ERROR_RATE).hits);
  });

  it("are not served at all when the embedder cannot tell them apart and nothing guards", {
    timeout: 60_000,
  }, async () => {
    const unguarded = await runTraffic(traffic.slice(0, 1200), { mode: "verified", guards: [] });
    expect(unguarded.snapshot).toMatchObject({ hits: 0, servesFrom: undefined });
  });
});

describe("through an SDK's requests, with everything similar served", () => {
  const QUESTION = "What are your opening hours?";
  const SIMILAR = "Hi, what are your opening hours?";

  interface Asked {
    readonly text?: unknown;
    readonly key?: string;
    readonly more?: object;
    readonly messages?: readonly object[];
    readonly path?: string;
  }

  function line(): { policy: SemanticPolicy; ask(asked?: Asked): Promise<number> } {
    const runtime = createRuntime();
    const policy = semantic({
      embed: hashedEmbed,
      embedder: "hashed@1",
      mode: "threshold",
      minSimilarity: 0.6,
      maxTurns: 10,
    }).open(runtime);
    let sent = 0;
    const provider = simulatedFetch({ latency: { firstToken: 0, perToken: 0 }, outputTokens: 5 });
    const fetch = createFetch(pipeline(cache({ tiers: [memory()] }, runtime), policy, coalesce({}, runtime)), {
      fetch: (input, init) => {
        sent++;
        return provider(input, init);
      },
    });
    return {
      policy,
      /** How many requests the provider got for it. */
      async ask({ text = QUESTION, key = "sk-one", more = {}, messages, path = "chat/completions" } = {}) {
        const before = sent;
        const input = messages ?? [
          { role: "system", content: "Be short." },
          { role: "user", content: text },
        ];
        const body = { model: "gpt-4o-mini", ...(path === "responses" ? { input } : { messages: input }), ...more };
        const response = await fetch(`https://api.openai.com/v1/${path}`, {
          method: "POST",
          headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
          body: JSON.stringify(body),
        });
        expect(response.status).toBe(200);
        expect(await response.text()).not.toBe("");
        await policy.flush();
        return sent - before;
      },
    };
  }

  it.each<[string, object, object]>([
    ["whole, asked again whole", {}, {}],
    ["whole, asked again as a stream", {}, { stream: true }],
    ["streamed, asked again as a stream", { stream: true }, { stream: true }],
    ["streamed with its usage, asked again whole", { stream: true, stream_options: { include_usage: true } }, {}],
  ])("a similar question costs no request: the first %s", async (_name, first, again) => {
    const { ask } = line();
    expect(await ask({ more: first })).toBe(1);
    expect(await ask({ text: SIMILAR, more: again })).toBe(0);
  });

  it.each<[string, Asked]>([
    ["tenant", { key: "sk-two" }],
    [
      "system prompt",
      {
        messages: [
          { role: "system", content: "Be long." },
          { role: "user", content: SIMILAR },
        ],
      },
    ],
    [
      "set of tools",
      { text: SIMILAR, more: { tools: [{ type: "function", function: { name: "f", parameters: {} } }] } },
    ],
    ["parameter", { text: SIMILAR, more: { temperature: 0 } }],
    ["endpoint", { text: SIMILAR, path: "responses" }],
    [
      "earlier turn",
      {
        messages: [
          { role: "system", content: "Be short." },
          { role: "user", content: "Hello" },
          { role: "assistant", content: "Hi" },
          { role: "user", content: SIMILAR },
        ],
      },
    ],
  ])("another %s is never served", async (_name, asked) => {
    const { ask } = line();
    await ask();
    expect(await ask(asked)).toBe(1);
  });

  it.each<[string, readonly object[]]>([
    ["an empty text", [{ role: "user", content: "" }]],
    [
      "a turn of an agent",
      [
        { role: "user", content: "Weather?" },
        {
          role: "assistant",
          content: null,
          tool_calls: [{ id: "1", type: "function", function: { name: "f", arguments: "{}" } }],
        },
        { role: "tool", tool_call_id: "1", content: "rain" },
      ],
    ],
  ])("%s is never remembered nor served", async (_name, messages) => {
    const { ask, policy } = line();
    await ask({ messages });
    await ask({ messages, more: { temperature: 0.5 } });
    expect(policy.snapshot()).toMatchObject({ entries: 0, ineligible: 2, hits: 0 });
  });
});
