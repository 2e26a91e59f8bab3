import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { EventSplitter, eventData } from "../../src/providers/sse.ts";

function split(pieces: readonly string[]): { events: string[]; rest: string } {
  const splitter = new EventSplitter();
  const events = pieces.flatMap((piece) => splitter.push(piece));
  return { events, rest: splitter.flush() };
}

/** Cuts text at the given places, which may fall anywhere. */
function cut(text: string, places: readonly number[]): string[] {
  const bounds = [0, ...places.map((place) => place % (text.length + 1)).sort((a, b) => a - b), text.length];
  return bounds.slice(1).map((end, index) => text.slice(bounds[index], end));
}

const streamText = fc
  .array(fc.constantFrom("data: x", ": ping", "event: e", "\n", "\r", "\r\n", "\n\n", "\r\r", "\r\n\r\n", "ä", ":"))
  .map((parts) => parts.join(""));

describe("the event splitter", () => {
  it("gives events whose text joined is the input", () => {
    fc.assert(
      fc.property(streamText, fc.array(fc.nat()), (text, places) => {
        const { events, rest } = split(cut(text, places));
        expect(events.join("") + rest).toBe(text);
      }),
    );
  });

  it("splits alike however the text is cut into pieces", () => {
    fc.assert(
      fc.property(streamText, fc.array(fc.nat()), (text, places) => {
        expect(split(cut(text, places))).toEqual(split([...text]));
      }),
    );
  });

  it.each([
    ["LF", "\n"],
    ["CRLF", "\r\n"],
    ["CR", "\r"],
  ])("knows lines that end with %s", (_, eol) => {
    const text = `: hello${eol}${eol}event: a${eol}data: 1${eol}data: 2${eol}${eol}data: last`;
    const { events, rest } = split([text]);
    expect(events).toEqual([`: hello${eol}${eol}`, `event: a${eol}data: 1${eol}data: 2${eol}${eol}`]);
    expect(rest).toBe("data: last");
    expect(events.map(eventData)).toEqual([
      { event: undefined, data: undefined },
      { event: "a", data: "1\n2" },
    ]);
  });

  it("gives an event as soon as its blank line is there", () => {
    const splitter = new EventSplitter();
    expect(splitter.push("data: 1\n")).toEqual([]);
    expect(splitter.push("\n")).toEqual(["data: 1\n\n"]);
  });

  it("keeps the LF of a CRLF that is cut in two", () => {
    const splitter = new EventSplitter();
    expect(splitter.push("data: 1\r\n\r")).toEqual([]);
    expect(splitter.push("\ndata: 2\r\n\r\n")).toEqual(["data: 1\r\n\r\n", "data: 2\r\n\r\n"]);
  });

  it("looks at each character once, however it arrives", () => {
    const text = `data: ${"x".repeat(1_000_000)}\n\n`;
    const splitter = new EventSplitter();
    const events: string[] = [];
    for (const character of text) events.push(...splitter.push(character));
    expect(events).toEqual([text]);
  });
});

describe("the data of an event", () => {
  it.each([
    ["data:x\n\n", "x"],
    ["data: x\n\n", "x"],
    ["data:  x\n\n", " x"],
    ["data\n\n", ""],
    ["\uFEFFdata: x\n\n", "x"],
    ["id: 1\nretry: 2\n\n", undefined],
    ["dates: x\n\n", undefined],
    ["\n", undefined],
  ])("of %j is %j", (raw, data) => {
    expect(eventData(raw).data).toBe(data);
  });
});
