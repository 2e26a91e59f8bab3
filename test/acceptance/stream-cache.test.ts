import OpenAI from "openai";
import { describe, expect, it } from "vitest";
import { createFetch } from "../../src/clients/index.ts";
import { pipeline } from "../../src/core/index.ts";
import { cache, memory } from "../../src/index.ts";
import { fixture } from "../providers/recordings.ts";
import {
  answering,
  ask,
  essence,
  good,
  isProven,
  type Recorded,
  read,
  recorded,
  usage,
} from "../support/recorded-provider.ts";

describe("a stream is kept", () => {
  it("was recorded from many providers, with tools and with reasoning", () => {
    expect(good.length).toBeGreaterThanOrEqual(15);
    expect(good.some(({ text }) => text.includes('"tool_calls"'))).toBe(true);
    expect(good.some(({ text }) => text.includes('"reasoning_content"'))).toBe(true);
  });

  it.each(recorded)("if and only if it is whole and good: $name", async (one) => {
    const { answers, fetch, asked } = answering(Buffer.from(one.text));
    const first = await read(await ask(fetch, one));
    expect(first).toBe(one.text);
    expect(answers.stats().stores).toBe(one.good ? 1 : 0);
    const second = await read(
      await ask(fetch, one, { stream: true, ...(one.reading.operation === "chat" && { stream_options: usage }) }),
    );
    if (one.good && asked() === 1) expect(second).toBe(essence(one.text));
    else expect(second).toBe(one.text);
  });

  it.each(good)("not when it is cut before it is proven: $name", async (one) => {
    const bytes = Buffer.from(one.text);
    const step = Math.ceil(bytes.length / 60);
    const tail = Math.max(0, bytes.length - 12);
    for (let length = 1; length <= bytes.length; length += length < tail ? step : 1) {
      for (const ending of ["closed", "reset"] as const) {
        const { answers, fetch } = answering(bytes.subarray(0, length), ending);
        const text = await read(await ask(fetch, one));
        expect([length, ending, answers.stats().stores]).toEqual([length, ending, isProven(one, text) ? 1 : 0]);
      }
    }
  });

  it.each(good)("not when the reader leaves before the last event: $name", async (one) => {
    const all = one.events.length;
    const step = Math.ceil(all / 20);
    for (let events = 1; events <= all; events += events < all - 3 ? step : 1) {
      const { answers, fetch } = answering(Buffer.from(one.text));
      const text = await read(await ask(fetch, one), events);
      expect([events, answers.stats().stores]).toEqual([events, isProven(one, text) ? 1 : 0]);
    }
  });

  it.each(good)("however slowly it comes and is read: $name", async (one) => {
    const { answers, fetch } = answering(Buffer.from(one.text), "closed", 97);
    const turn = () => new Promise<void>((resolve) => setImmediate(resolve));
    expect(await read(await ask(fetch, one), Number.POSITIVE_INFINITY, turn)).toBe(one.text);
    expect(answers.stats().stores).toBe(1);
    expect(await read(await ask(fetch, one), Number.POSITIVE_INFINITY, turn)).toBe(essence(one.text));
  });

  it.each(good)("not when an error comes in the middle: $name", async (one) => {
    const error = 'data: {"error":{"message":"overloaded","type":"server_error","code":"overloaded"}}\n\n';
    const middle = Math.floor(one.events.length / 2);
    const text = one.events.toSpliced(middle, 0, error).join("");
    const { answers, fetch } = answering(Buffer.from(text));
    await read(await ask(fetch, one));
    expect(answers.stats().stores).toBe(0);
  });
});

describe("one entry", () => {
  const client = (send: typeof fetch) => new OpenAI({ apiKey: "k", maxRetries: 0, fetch: send });
  const question = { model: "m", messages: [] };

  it.each(good.filter(({ reading }) => reading.operation === "chat"))(
    "serves chat in either form, always the same: $name",
    async (one) => {
      const { fetch, asked } = answering(Buffer.from(one.text));
      await read(await ask(fetch, one));
      const plain = async () => (await ask(fetch, one, {})).text();
      const first = await plain();
      // Content in parts and streams without usage cannot be put together.
      if (asked() > 1) return;
      await read(await ask(fetch, one));
      expect(await plain()).toBe(first);
      const streamed = await client(fetch)
        .chat.completions.stream({ ...question, stream_options: usage })
        .finalChatCompletion();
      expect(streamed.choices[0]?.message.content ?? "").toBe(JSON.parse(first).choices[0].message.content ?? "");
      expect(asked()).toBe(1);
    },
  );

  it("that was whole is told in pieces, and put together again is what it was, byte for byte", async () => {
    const rows = fixture("responses.jsonl")
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => JSON.parse(line));
    const long = "Grüße 😀 ".repeat(300);
    const row = rows.find(({ path }) => String(path).endsWith("chat/completions"));
    const body = {
      ...row.response,
      choices: [
        {
          index: 0,
          message: { role: "assistant", content: long, refusal: null },
          logprobs: null,
          finish_reason: "stop",
        },
      ],
    };
    const answers = cache({ tiers: [memory()] });
    const host = async () => Response.json(body);
    const fetch = createFetch(pipeline(answers), { fetch: host });
    const whole = await (await ask(fetch, good[0] as Recorded, {})).text();
    const deltas: string[] = [];
    for await (const chunk of await client(fetch).chat.completions.create({ ...question, stream: true })) {
      deltas.push(chunk.choices[0]?.delta.content ?? "");
    }
    expect(deltas.length).toBeGreaterThan(10);
    expect(deltas.join("")).toBe(long);
    expect(deltas.every((delta) => delta.isWellFormed())).toBe(true);
    expect(await (await ask(fetch, good[0] as Recorded, {})).text()).toBe(whole);
  });
});
