import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { callThrough, type FunctionRequest } from "../../src/clients/index.ts";
import { type Call, type Policy, pipeline } from "../../src/core/index.ts";
import { drain } from "../support/calls.ts";

/** The call that `callThrough` makes of a request. */
async function callOf(request: FunctionRequest): Promise<Call> {
  const { promise, resolve } = Promise.withResolvers<Call>();
  const policy: Policy = {
    name: "take",
    ring: "call",
    handle: (call, next) => {
      resolve(call);
      return next(call);
    },
  };
  await callThrough(pipeline(policy), request, () => 1);
  return promise;
}

const base = { model: "m", input: "a" };
const keyOf = async (request: object) => (await callOf({ ...base, ...request })).fingerprint()?.key;
const head = { status: 200, statusText: "", headers: [], url: "", limits: undefined };

describe("the key of a function's call", () => {
  it("holds every field that can change the answer, unknown ones too", async () => {
    const variants = [
      {},
      { model: "n" },
      { input: "b" },
      { input: ["a"] },
      { temperature: 0 },
      { temperature: 1 },
      { stream: true },
      { anything: "else" },
      { provider: "p" },
      { operation: "o" },
      { credential: "c" },
    ];
    const keys = await Promise.all(variants.map(keyOf));
    expect(new Set(keys).size).toBe(variants.length);
  });

  it("does not depend on the order of fields or on the judge", async () => {
    const keys = [
      await keyOf({ a: 1, b: 2 }),
      await keyOf({ b: 2, a: 1 }),
      await keyOf({ a: 1, b: 2, judge: () => ({}) }),
    ];
    expect(new Set(keys).size).toBe(1);
  });
});

describe("what a cache keeps of a function's answer", () => {
  it("comes back exactly as it was, and as a new object each time", async () => {
    const call = await callOf(base);
    await fc.assert(
      fc.asyncProperty(fc.jsonValue(), async (generated) => {
        // JSON has no -0, and a text cannot hold it.
        const value: unknown = JSON.parse(JSON.stringify(generated));
        const kept = call.wire.keep(call, head, { value });
        if (kept === undefined) throw new Error("not kept");
        const bodies = [call.wire.replay(call, kept), call.wire.replay(call, kept)].map((reply) => reply?.body);
        for (const body of bodies) expect(body).toStrictEqual({ kind: "value", value });
        if (typeof value === "object" && value !== null) {
          expect(bodies[0]).not.toBe(bodies[1]);
          expect((bodies[0] as { value: unknown }).value).not.toBe((bodies[1] as { value: unknown }).value);
        }
      }),
    );
  });

  it("comes back as a stream when it was one", async () => {
    const call = await callOf(base);
    const chunks = ["a", { b: 1 }, null];
    const kept = call.wire.keep(call, head, { chunks });
    const body = kept && call.wire.replay(call, kept)?.body;
    if (body?.kind !== "stream") throw new Error("not a stream");
    expect(await drain(body)).toEqual(chunks);
    expect(body.settled.value).toMatchObject({ fault: undefined, storable: true });
  });

  it("is nothing when JSON would change it", async () => {
    const call = await callOf(base);
    const cycle: Record<string, unknown> = {};
    cycle["twice"] = [cycle, cycle];
    const losing = [
      undefined,
      Number.NaN,
      Number.POSITIVE_INFINITY,
      -0,
      1n,
      Symbol("x"),
      () => {},
      new Date(0),
      new Map(),
      new Uint8Array(1),
      Object.create(null),
      new (class Answer {})(),
      { [Symbol("x")]: 1 },
      { a: undefined },
      // biome-ignore lint/suspicious/noSparseArray: a hole is what is meant
      [1, , 2],
      cycle,
      { toJSON: () => "other" },
    ];
    for (const value of losing) {
      expect(call.wire.keep(call, head, { value: { deep: [value] } })).toBeUndefined();
      expect(call.wire.keep(call, head, { chunks: ["a", value] })).toBeUndefined();
    }
  });
});

describe("a long replay", () => {
  it("lets others have their turn", async () => {
    const call = await callOf({ ...base, stream: true });
    const chunks = Array.from({ length: 2000 }, (_, n) => n);
    const kept = call.wire.keep(call, head, { chunks });
    const reply = kept === undefined ? undefined : call.wire.replay(call, kept);
    let turns = 0;
    const immediate = (): void => {
      turns++;
      handle = setImmediate(immediate);
    };
    let handle = setImmediate(immediate);
    if (reply?.body.kind !== "stream") throw new Error("not a stream");
    expect(await drain(reply.body)).toEqual(chunks);
    clearImmediate(handle);
    expect(turns).toBeGreaterThanOrEqual(7);
  });
});
