import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Call } from "../../src/core/index.ts";
import { countedPrompt } from "../../src/tokens/tiktoken/counted-prompt.ts";
import { encodingWork } from "../../src/tokens/tiktoken/encoding-work.ts";
import { tiktoken } from "../../src/tokens/tiktoken/index.ts";
import { callOf, virtualRuntime } from "../support/calls.ts";
import { callFor, RECORDED } from "./recorded-prompts.ts";

const { runtime } = virtualRuntime();

function asking(request: object, { provider = "openai", model = "gpt-4o", inputChars = 100 } = {}): Call {
  const send = async (): Promise<never> => Promise.reject(new Error("not to be sent"));
  return callOf(runtime, send, { provider, model, request, inputChars });
}

const saying = (content: unknown): object => ({ messages: [{ role: "user", content }] });

/** The pieces that `o200k_base` merges each for itself, as its pattern says. */
const PIECES =
  /[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?:'[sStTmMdD]|'[rR][eE]|'[vV][eE]|'[lL][lL])?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?:'[sStTmMdD]|'[rR][eE]|'[vV][eE]|'[lL][lL])?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+/gu;

/** The work that encoding takes: every byte is read, and merging a piece takes the square of its bytes. */
function workOf(text: string): { bytes: number; squares: number } {
  let [bytes, squares] = [0, 0];
  for (const [piece] of text.matchAll(PIECES)) {
    const length = Buffer.byteLength(piece);
    bytes += length;
    squares += length * length;
  }
  return { bytes, squares };
}

describe("tiktoken()", () => {
  it("counts recorded prompts in plain text to the token, but for a few", () => {
    const count = tiktoken();
    const counted = RECORDED.flatMap((row) => {
      const tokens = count(callFor(row));
      return tokens === undefined ? [] : [tokens - row.input_tokens];
    });
    expect(counted.length).toBeGreaterThan(15);
    expect(counted.filter((difference) => difference === 0).length / counted.length).toBeGreaterThan(0.75);
  });

  it("reads the forms that a message has", () => {
    const count = tiktoken();
    const forms = [
      { messages: [{ role: "user", content: "Hello, harbour!" }] },
      { messages: [{ role: "user", content: [{ type: "text", text: "Hello, harbour!" }] }] },
      { input: "Hello, harbour!" },
      { input: [{ type: "message", role: "user", content: "Hello, harbour!" }] },
      { input: [{ role: "user", content: [{ type: "input_text", text: "Hello, harbour!" }] }] },
    ];
    const counts = forms.map((request) => count(asking(request)));
    expect(new Set(counts).size).toBe(1);
    expect(counts[0]).toBeGreaterThan(7);
    expect(count(asking({ instructions: "Be brief.", input: "Hello, harbour!" }))).toBeGreaterThan(counts[0] as number);
    // What looks like a special token is text.
    expect(count(asking(saying("<|endoftext|>")))).toBeGreaterThan(8);
  });

  it("does not count what it cannot count exactly", () => {
    const counted: string[] = [];
    const spy = (text: string): number => counted.push(text);
    const hello = saying("hello");
    const others: Call[] = [
      asking(hello, { model: "claude-sonnet-4-5" }),
      asking(hello, { provider: "openrouter" }),
      asking(hello, { model: "gpt-3.5-turbo" }),
      asking({ ...hello, tools: [{ type: "function" }] }),
      asking({ ...hello, response_format: { type: "json_object" } }),
      asking({ input: "hello", previous_response_id: "resp_1" }),
      asking({ input: "hello", text: { format: { type: "json_schema" } } }),
      asking({ input: 7 }),
      asking({ messages: [{ role: "user", content: "hello", name: "Ada" }] }),
      asking(saying([{ type: "image_url", image_url: { url: "https://example.com/a.png" } }])),
      asking(saying(null)),
      asking({ messages: [null] }),
      asking(hello, { inputChars: 10_000 }),
    ];
    for (const call of others) expect(countedPrompt(call, spy)).toBeUndefined();
    expect(counted).toEqual([]);
  });

  it("gives the encoder a bounded amount of work, whatever the prompt", () => {
    const unit = fc.constantFrom(..."aZ天ßé😀 \n\t=!'0９\u0301\u00a0\r/", "the ", "😀\u200d", "İ", "ǆ");
    const texts = fc.array(fc.tuple(unit, fc.integer({ min: 1, max: 700 })), { maxLength: 8 });
    let [counted, declined] = [0, 0];
    fc.assert(
      fc.property(texts, fc.boolean(), (parts, split) => {
        const text = parts.map(([part, times]) => part.repeat(times)).join("");
        const messages = split ? [...text].map((content) => ({ role: "u", content })) : [{ role: "u", content: text }];
        let [bytes, squares] = [0, 0];
        const tokens = countedPrompt(asking({ messages }), (given) => {
          const work = workOf(given);
          bytes += work.bytes;
          squares += work.squares;
          return 1;
        });
        if (tokens === undefined) declined++;
        else counted++;
        expect(bytes).toBeLessThanOrEqual(1_500);
        // Of one piece this is 860 bytes.
        expect(squares).toBeLessThanOrEqual(750_000);
      }),
      { numRuns: 500 },
    );
    expect(Math.min(counted, declined)).toBeGreaterThan(20);
  });

  it("counts usual prompts and declines runs that would take long", () => {
    const usual = "The quick brown fox jumps over the lazy dog. ".repeat(30);
    expect(countedPrompt(asking(saying(usual)), () => 1)).toBeDefined();
    for (const long of ["x", "天", "=", " ", "😀", "\n", "aé"]) {
      expect(countedPrompt(asking(saying(long.repeat(700))), () => 1)).toBeUndefined();
    }
  });
});

it("the work of a text is looked for no further than what is enough", () => {
  let looked = 0;
  const text = {
    length: 1_000_000,
    charCodeAt: () => {
      looked++;
      return 97;
    },
  };
  expect(encodingWork(text as unknown as string, 1_500)).toBe(Number.POSITIVE_INFINITY);
  expect(looked).toBeLessThan(1_500);
});
