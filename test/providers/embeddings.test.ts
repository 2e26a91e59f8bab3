import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Batch, type Call, type Reply, valueReply, whole } from "../../src/core/index.ts";
import { packedVector, vectorNumbers } from "../../src/providers/openai/embedding-vector.ts";
import { openaiWire, readRequest, readWhole } from "../../src/providers/openai/index.ts";
import { callOf, virtualRuntime } from "../support/calls.ts";
import { rawResponse } from "./recordings.ts";

const { runtime } = virtualRuntime();
const unused = () => Promise.reject(new Error("not sent"));

function callWith(request: object): Call {
  const reading = readRequest(
    "POST",
    new URL("https://api.openai.com/v1/embeddings"),
    JSON.stringify({ model: "m", ...request }),
  );
  if (reading === undefined) throw new Error("not read");
  return callOf(runtime, unused, { ...reading, wire: openaiWire });
}

function batchOf(request: object): Batch {
  const batch = openaiWire.split?.(callWith(request));
  if (batch === undefined) throw new Error("not a batch");
  return batch;
}

const keyOf = (request: object) => callWith(request).fingerprint()?.key;

interface Body {
  readonly data: readonly { readonly index?: number; readonly embedding: unknown }[];
  readonly usage?: object;
}

function replyWith(body: Body): Reply {
  const text = JSON.stringify({ object: "list", model: "m", ...body });
  return valueReply(text, readWhole({ operation: "embeddings", provider: "openai" }, rawResponse(text)));
}

const bodyOf = (reply: Reply | undefined) =>
  JSON.parse(String(reply?.body.kind === "value" ? reply.body.value : "null"));

describe("a packed vector", () => {
  // Without -0, which JSON does not tell from 0.
  const numbers = fc.float({ noNaN: true, noDefaultInfinity: true }).map((number) => number + 0);
  const floats = fc.array(numbers, { minLength: 1, maxLength: 50 });

  it("has the bytes that the provider gives for the same numbers", () => {
    fc.assert(
      fc.property(floats, (numbers) => {
        const packed = Buffer.from(new Float32Array(numbers).buffer).toString("base64");
        expect(packedVector(numbers)).toBe(packed);
        expect(packedVector(numbers.map((number) => Number(number.toPrecision(9))))).toBe(packed);
        expect(packedVector(packed)).toBe(packed);
        expect(vectorNumbers(packed)).toEqual(numbers);
      }),
    );
  });

  it("rounds other numbers to 32 bits", () => {
    const numbers = fc.array(fc.double({ min: -1e30, max: 1e30, noNaN: true }), { minLength: 1 });
    fc.assert(
      fc.property(numbers, (given) => {
        expect(vectorNumbers(packedVector(given))).toEqual(given.map(Math.fround));
      }),
    );
  });

  it.each([[[]], [["a"]], [[1e300]], [[null]], ["AAAA"], ["not base64!"], [""], [{}], [null], [undefined]])(
    "is not made of %j",
    (value) => {
      expect(packedVector(value)).toBeUndefined();
    },
  );
});

describe("the key of an input", () => {
  it("is the same alone, in a list of one and in either format", () => {
    const keys = [{ input: "x" }, { input: ["x"] }, { input: "x", encoding_format: "base64", user: "u" }].map(keyOf);
    expect(new Set(keys).size).toBe(1);
    expect(batchOf({ input: ["x", "y"], encoding_format: "float" }).parts[0]?.fingerprint()?.key).toBe(keys[0]);
    expect(keyOf({ input: [[1, 2]] })).toBe(keyOf({ input: [1, 2] }));
  });

  it("is another one for what only looks alike", () => {
    const requests = [
      { input: "1" },
      { input: [1] },
      { input: "[1]" },
      { input: ["1", "1"] },
      { input: [[1], [1]] },
      { input: [1, 1] },
    ];
    const keys = [...requests, { input: "1", dimensions: 4 }, { input: "1", input_type: "query" }].map(keyOf);
    expect(new Set(keys).size).toBe(keys.length);
  });

  it("has the format where a field that is not known may ask for other numbers", () => {
    const other = { input: "x", output_dtype: "int8" };
    expect(keyOf({ ...other, encoding_format: "base64" })).not.toBe(keyOf(other));
    expect(keyOf({ input: "x", encoding_format: "int8" })).not.toBe(keyOf({ input: "x" }));
  });
});

describe("a batch", () => {
  it.each([["x"], [["x"]], [[1, 2, 3]], [[[1, 2]]], [[]], [["x", 1]], [["x", [1]]], [[{}, {}]], [null]])(
    "is not %j",
    (input) => {
      expect(openaiWire.split?.(callWith({ input }))).toBeUndefined();
    },
  );

  it("is what it was when all of it is asked, and smaller when not", () => {
    const call = callWith({ input: ["aa", "bbb", "c"], user: "u", encoding_format: "float" });
    const batch = openaiWire.split?.(call) as Batch;
    expect(batch.ask(call, [0, 1, 2]).request).toBe(call.request);
    const part = batch.ask(call, [0, 2]);
    expect(part.request).toEqual({ model: "m", input: ["aa", "c"], user: "u", encoding_format: "float" });
    expect(part.inputChars).toBe(3);
    expect(call.inputChars).toBe(6);
  });

  it("takes the answers by their index, and shares out the usage by size", async () => {
    const batch = batchOf({ input: ["aaaa", "bb", "c"] });
    const data = [2, 0, 1].map((index) => ({ object: "embedding", index, embedding: [index + 0.5] }));
    const replies = await batch.divide(replyWith({ data, usage: { prompt_tokens: 10, total_tokens: 11 } }), [0, 1, 2]);
    const bodies = replies?.map(bodyOf);
    expect(bodies?.map(({ data: [one] }) => [one.index, vectorNumbers(one.embedding)])).toEqual([
      [0, [0.5]],
      [0, [1.5]],
      [0, [2.5]],
    ]);
    const shares = bodies?.map(({ usage }) => usage);
    expect(shares).toEqual([
      { prompt_tokens: 6, total_tokens: 6 },
      { prompt_tokens: 3, total_tokens: 3 },
      { prompt_tokens: 1, total_tokens: 2 },
    ]);
  });

  it.each([
    [[{ index: 0, embedding: [1] }]],
    [
      [
        { index: 0, embedding: [1] },
        { index: 0, embedding: [2] },
      ],
    ],
    [
      [
        { index: 0, embedding: [1] },
        { index: 2, embedding: [2] },
      ],
    ],
    [[{ index: 0, embedding: [1] }, { embedding: [2] }]],
  ])("is not divided by guessing: %j", async (data) => {
    expect(await batchOf({ input: ["a", "b"] }).divide(replyWith({ data }), [0, 1])).toBeUndefined();
  });

  it("is joined in the order of the request, whatever the order of the parts", async () => {
    const call = callWith({ input: ["a", "b", "a"], encoding_format: "float" });
    const batch = openaiWire.split?.(call) as Batch;
    const usage = { prompt_tokens: 2, total_tokens: 2 };
    const data = [0, 1].map((index) => ({ object: "embedding", index, embedding: [index + 0.25] }));
    const replies = (await batch.divide(replyWith({ data, usage }), [0, 1])) ?? [];
    const joined = await batch.join(replies);
    expect(bodyOf(joined)).toEqual({
      object: "list",
      model: "m",
      data: [0.25, 1.25, 0.25].map((number, index) => ({ object: "embedding", index, embedding: [number] })),
      usage: { prompt_tokens: 3, total_tokens: 3 },
    });
    expect(joined?.servedBy).toBe("upstream");
    expect(joined?.settled.value).toMatchObject({ storable: true, usage: { inputTokens: 2, outputTokens: 0 } });
  });

  it("has no usage where the provider told none", async () => {
    const batch = batchOf({ input: ["a", "b"] });
    const data = [0, 1].map((index) => ({ index, embedding: [1] }));
    expect(bodyOf(await batch.join((await batch.divide(replyWith({ data }), [0, 1])) ?? []))).not.toHaveProperty(
      "usage",
    );
  });

  it("leaves numbers of another kind as they are", async () => {
    const request = { input: ["a", "b"], output_dtype: "int8", encoding_format: "base64" };
    const batch = batchOf(request);
    const data = ["AQID", "BAUG"].map((embedding, index) => ({ index, embedding }));
    const [first] = (await batch.divide(replyWith({ data }), [0, 1])) ?? [];
    const kept = openaiWire.keep(batch.parts[0] as Call, (first as Reply).head, { value: bodyText(first) });
    expect(JSON.parse(kept?.text ?? "").data[0].embedding).toBe("AQID");
  });

  it("does not keep what is no vector", () => {
    const call = callWith({ input: "a" });
    const text = JSON.stringify({ data: [{ index: 0, embedding: ["?"] }] });
    expect(openaiWire.keep(call, valueReply(text, whole()).head, { value: text })).toBeUndefined();
  });
});

const bodyText = (reply: Reply | undefined) => (reply?.body.kind === "value" ? reply.body.value : undefined);
