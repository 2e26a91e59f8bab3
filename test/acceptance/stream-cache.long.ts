import { describe, expect, it } from "vitest";
import { answering, ask, good, isProven, read } from "../support/recorded-provider.ts";

describe("a stream is kept if and only if its end has proven it", () => {
  it.each(good)("at whatever byte it is cut: $name", async (one) => {
    const bytes = Buffer.from(one.text);
    // Of the longest one every eleventh, and each of the last events.
    const step = bytes.length > 30_000 ? 11 : 1;
    const tail = bytes.length - 1000;
    for (let length = 1; length <= bytes.length; length += length < tail ? step : 1) {
      for (const ending of ["closed", "reset"] as const) {
        const { answers, fetch } = answering(bytes.subarray(0, length), ending);
        const text = await read(await ask(fetch, one));
        expect([length, ending, answers.stats().stores]).toEqual([length, ending, isProven(one, text) ? 1 : 0]);
      }
    }
  });

  it.each(good)("after whatever event the reader leaves: $name", async (one) => {
    for (let events = 1; events <= one.events.length; events++) {
      const { answers, fetch } = answering(Buffer.from(one.text));
      const text = await read(await ask(fetch, one), events);
      expect([events, answers.stats().stores]).toEqual([events, isProven(one, text) ? 1 : 0]);
    }
  });
});
