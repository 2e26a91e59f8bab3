import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import {
  readAzureTrace,
  readJsonTrace,
  readMooncakeTrace,
  simulateCache,
  syntheticTrace,
  TraceError,
} from "../../src/lab/index.ts";

const ROOT = join(import.meta.dirname, "../..");
const mooncake = gunzipSync(
  readFileSync(join(ROOT, "bench/data/mooncake-conversation-first30min.jsonl.gz")),
).toString();

describe("a trace of one's own", () => {
  it("is a request as JSON on each line, empty lines aside", () => {
    const text = '{"key":"a","bytes":10,"cost":0.1,"owner":"x"}\r\n\n{"key":"b","bytes":20,"cost":0}\n';
    expect([...readJsonTrace(text)]).toEqual([
      { key: "a", bytes: 10, cost: 0.1, owner: "x" },
      { key: "b", bytes: 20, cost: 0 },
    ]);
  });

  it("is refused with the number of the line that cannot be read", () => {
    for (const [line, what] of [
      ["{", "is not JSON"],
      ["3", "is not an object"],
      ['{"key":1,"bytes":1,"cost":1}', "lacks"],
    ]) {
      const read = () => [...readJsonTrace(`{"key":"a","bytes":1,"cost":1}\n${line}`)];
      expect(read).toThrow(TraceError);
      expect(read).toThrow(`Line 2 of the trace ${what}`);
    }
  });
});

describe("a trace of Mooncake", () => {
  it("has the share of repeated prompts that was measured on it", () => {
    const prompts = [...readMooncakeTrace(mooncake)];
    expect(prompts.length).toBe(5719);
    expect(simulateCache(prompts, { sizes: [1] }).ceiling.hitRatio).toBeCloseTo(0.0072, 4);
  });

  it("has the share of repeated blocks that was measured on it", () => {
    const blocks = [...readMooncakeTrace(mooncake, { per: "block" })];
    expect(new Set(blocks.map(({ bytes, cost }) => `${bytes} ${cost}`)).size).toBe(1);
    expect(simulateCache(blocks, { sizes: [1] }).ceiling.hitRatio).toBeCloseTo(0.341, 3);
  });

  it("prices tokens as it is told", () => {
    const line = '{"timestamp":5,"input_length":1000000,"output_length":2000000,"hash_ids":[0,7]}';
    const [prompt] = readMooncakeTrace(line, { input: 2, output: 10 });
    expect(prompt).toMatchObject({ key: "7:1000000", cost: 22, at: 5 });
    expect(() => [...readMooncakeTrace(line, { per: "word" as never })]).toThrow("readMooncakeTrace.per");
    expect(() => [...readMooncakeTrace('{"timestamp":5}')]).toThrow("Line 1");
  });
});

describe("a trace of Azure", () => {
  const text = readFileSync(join(ROOT, "demo/data/azure-conv-2023.csv"), "utf8");

  it("keeps times and lengths, and repeats the share it is told", () => {
    const requests = [...readAzureTrace(text, { repeatShare: 0.4 })];
    expect(requests.length).toBe(3000);
    expect((requests[1]?.at ?? 0) - (requests[0]?.at ?? 0)).toBe(61);
    const { ceiling, keys } = simulateCache(requests, { sizes: [1] });
    expect(ceiling.hitRatio).toBeCloseTo(0.4, 1);
    expect(keys).toBe(Math.round(3000 * (1 - ceiling.hitRatio)));
    expect([...readAzureTrace(text, { repeatShare: 0 })].length).toBe(3000);
  });

  it("is the same for the same seed", () => {
    const keys = (seed: number) => [...readAzureTrace(text, { seed })].map(({ key }) => key);
    expect(keys(1)).toEqual(keys(1));
    expect(keys(1)).not.toEqual(keys(2));
  });

  it("is refused where a line is of another form", () => {
    expect(() => [...readAzureTrace("TIMESTAMP,ContextTokens,GeneratedTokens\nyesterday,1,2")]).toThrow("Line 2");
  });
});

describe("a synthetic trace", () => {
  it("has as many one-hit wonders as it is told, and prices that belong to the question", () => {
    const requests = syntheticTrace({ requests: 20_000, oneHitShare: 0.6, questions: 100 });
    const once = requests.filter(({ key }) => key.startsWith("once-")).length;
    expect(once / 20_000).toBeCloseTo(0.6, 1);
    const facts = new Map(requests.map(({ key, bytes, cost }) => [key, `${bytes} ${cost}`]));
    for (const { key, bytes, cost } of requests) expect(facts.get(key)).toBe(`${bytes} ${cost}`);
  });

  it("drifts: what is popular at the end was unknown at the beginning", () => {
    const requests = syntheticTrace({ requests: 20_000, driftEvery: 10, questions: 500, oneHitShare: 0 });
    const [first, last] = [requests.slice(0, 2000), requests.slice(-2000)].map(
      (part) => new Set(part.map(({ key }) => key)),
    );
    expect([...(last ?? [])].filter((key) => first?.has(key)).length).toBe(0);
  });

  it("says which option is wrong", () => {
    expect(() => syntheticTrace({ oneHitShare: 2 })).toThrow("syntheticTrace.oneHitShare");
    expect(() => syntheticTrace({ keys: 5 } as never)).toThrow("syntheticTrace.keys");
  });
});
