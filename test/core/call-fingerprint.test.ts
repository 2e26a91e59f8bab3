import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { templateOf } from "../../src/core/call-fingerprint.ts";
import { type CallFingerprint, pipeline, promptPieces, type Wire } from "../../src/core/index.ts";
import { answering, callOf, jsonWire, virtualRuntime } from "../support/calls.ts";

const prose = fc
  .array(fc.stringMatching(/^[a-z]{2,9}$/), { minLength: 300, maxLength: 600 })
  .map((words) => words.join(" "));
const chars = (pieces: ReturnType<typeof promptPieces>): number => pieces.reduce((sum, piece) => sum + piece.chars, 0);

describe("the pieces of a prompt", () => {
  it("cover its first 16,384 characters, each at most 1,024, none short but at an end", () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: "binary", maxLength: 30_000 }), { maxLength: 4 }), (texts) => {
        const pieces = promptPieces(texts);
        const total = texts.reduce((sum, text) => sum + text.length, 0);
        expect(chars(pieces)).toBe(Math.min(total, 16_384));
        expect(pieces.every((piece) => piece.chars >= 1 && piece.chars <= 1_024)).toBe(true);
        expect(pieces.filter((piece) => piece.chars < 64).length).toBeLessThanOrEqual(texts.length);
      }),
    );
  });

  it("are mostly the same when something is put before them", () => {
    fc.assert(
      fc.property(prose, fc.string({ minLength: 1, maxLength: 200 }), (text, prefix) => {
        const before = new Set(promptPieces([text]).map(({ hash }) => hash));
        const after = promptPieces([prefix + text]);
        const same = chars(after.filter(({ hash }) => before.has(hash)));
        // What is new, and the one piece it runs into.
        expect(text.length - same).toBeLessThanOrEqual(2 * 1_024);
      }),
    );
  });

  it("are of a useful size in prose", () => {
    const [text = ""] = fc.sample(prose, { numRuns: 1, seed: 7 });
    const pieces = promptPieces([text.repeat(4)]);
    const mean = chars(pieces) / pieces.length;
    expect(mean).toBeGreaterThan(100);
    expect(mean).toBeLessThan(400);
  });
});

describe("the name of a template", () => {
  const of = (fixed: string, said = "hello") =>
    templateOf("chat", [
      { of: "fixed", text: fixed },
      { of: "turn", text: said },
    ]);

  it("is that of the instructions, whatever is said", () => {
    expect(of("You translate.", "one")).toBe(of("You translate.", "two"));
    expect(of("You translate.")).not.toBe(of("You summarize."));
    expect(of("You translate.")).toMatch(/^[\w-]{11}$/);
  });

  it("does not change with dates, ids and counts", () => {
    const at = (time: string, id: string) => of(`It is ${time}, request ${id}, 3 of 17. You translate.`);
    expect(at("2026-11-21T10:00:00Z", "a81bc81b-dead-4e5d")).toBe(at("2027-01-02T23:59:59.123Z", "0f8fad5b-d9cb"));
  });

  it("is that of the first words where nothing is fixed", () => {
    const said = (text: string) => templateOf("chat", [{ of: "turn", text }]);
    const task = "Summarize the following article in one sentence of at most thirty words:";
    expect(said(`${task} once upon a time`)).toBe(said(`${task} in a far country`));
    expect(said("Who are you?")).not.toBe(said("Where are you?"));
  });
});

describe("call.fingerprinted", () => {
  const wire: Wire = {
    ...jsonWire,
    promptParts: (call) => [{ of: "turn", text: (call.request as { input: string }).input }],
  };
  const run = async (input: string, chosen: Wire) => {
    const { clock, runtime } = virtualRuntime();
    const told: (string | CallFingerprint)[] = [];
    runtime.events.on("call.fingerprinted", (event) => told.push(event));
    runtime.events.on("call.completed", ({ type }) => told.push(type));
    const line = pipeline({ name: "none", ring: "call", runtime, handle: (call, next) => next(call) });
    await clock.run(line.execute(callOf(runtime, answering(runtime, "hi"), { request: { input }, wire: chosen })));
    return told;
  };

  it("is told right before the end, and names questions and prompts without their words", async () => {
    const [first, end] = await run("CANARY one", wire);
    const [again] = await run("CANARY one", wire);
    const [other] = await run("CANARY two", wire);
    expect(end).toBe("call.completed");
    expect(first).toMatchObject({ question: expect.stringMatching(/^[\w-]{43}$/), inputChars: 400 });
    const [one, same, two] = [first, again, other] as CallFingerprint[];
    expect([same?.question, same?.template, same?.pieces]).toEqual([one?.question, one?.template, one?.pieces]);
    expect(two?.question).not.toBe(one?.question);
    expect(JSON.stringify([first, other])).not.toContain("CANARY");
  });

  it("does without what cannot be read", async () => {
    const broken: Wire = {
      ...jsonWire,
      identity: () => {
        throw new Error("no");
      },
      promptParts: () => {
        throw new Error("no");
      },
    };
    const [told] = await run("x", broken);
    expect(told).toMatchObject({ question: undefined, template: undefined, pieces: [] });
  });

  it("is not built for who listens to everything", async () => {
    const { clock, runtime } = virtualRuntime();
    const types: string[] = [];
    runtime.events.on("*", ({ type }) => types.push(type));
    const line = pipeline({ name: "none", ring: "call", runtime, handle: (call, next) => next(call) });
    await clock.run(line.execute(callOf(runtime, answering(runtime, "hi"), { wire })));
    expect(types).toContain("call.completed");
    expect(types).not.toContain("call.fingerprinted");
  });
});
