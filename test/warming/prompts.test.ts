import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { OptionError } from "../../src/index.ts";
import { progressLine, progressText, prompts } from "../../src/warming/index.ts";

describe("prompts", () => {
  it("are every combination of values, the last place fastest", () => {
    const made = prompts({
      template: "Explain {topic} to a {who}; {topic} matters.",
      values: { who: ["child", "judge"], topic: ["rain", "snow"] },
    });
    expect(made.size).toBe(4);
    expect([...made]).toEqual([
      "Explain rain to a child; rain matters.",
      "Explain rain to a judge; rain matters.",
      "Explain snow to a child; snow matters.",
      "Explain snow to a judge; snow matters.",
    ]);
    expect([...made].length).toBe(4);
  });

  it("come from several patterns one after the other, and leave other braces alone", () => {
    const made = prompts([
      { template: 'Fill {"name": "{{name}}", "age": {age}} {}', values: { age: [1, 2] } },
      { template: "Hello", values: {} },
    ]);
    expect([...made]).toEqual([
      'Fill {"name": "{name}", "age": 1} {}',
      'Fill {"name": "{name}", "age": 2} {}',
      "Hello",
    ]);
  });

  it("do not read places in values", () => {
    const made = prompts({ template: "{a} {b}", values: { a: ["{b}", "$&"], b: ["x"] } });
    expect([...made]).toEqual(["{b} x", "$& x"]);
  });

  it("are made one by one", () => {
    const values = Array.from({ length: 1000 }, (_, index) => index);
    const made = prompts({ template: "{a}{b}{c}", values: { a: values, b: values, c: values } }, { max: 1e9 });
    expect(made.size).toBe(1e9);
    expect(made[Symbol.iterator]().next().value).toBe("000");
  });

  it("are as many as they say, and all different when values are", () => {
    const values = fc.uniqueArray(fc.stringMatching(/^[a-z]{1,4}$/), { minLength: 1, maxLength: 5 });
    fc.assert(
      fc.property(fc.array(values, { minLength: 1, maxLength: 4 }), (lists) => {
        const names = lists.map((_, index) => `p${index}`);
        const template = names.map((name) => `<{${name}}>`).join("");
        const made = prompts({ template, values: Object.fromEntries(lists.map((list, index) => [`p${index}`, list])) });
        const texts = [...made];
        expect(texts.length).toBe(made.size);
        expect(new Set(texts).size).toBe(made.size);
      }),
    );
  });

  it.each<[string, Parameters<typeof prompts>]>([
    ["prompts.values.topic", [{ template: "{topic}", values: {} }]],
    ["prompts.values.topic", [{ template: "{topic}", values: { topic: [] } }]],
    ["prompts.values.topik", [{ template: "{topic}", values: { topic: ["a"], topik: ["a"] } }]],
    ["prompts.values.toString", [{ template: "{toString}", values: {} }]],
    ["prompts.template", [{ template: "", values: {} }]],
    ["prompts.max", [{ template: "{a}{b}", values: { a: [1, 2], b: [1, 2] } }, { max: 3 }]],
  ])("are refused when something is wrong: %s", (option, [patterns, options]) => {
    expect(() => prompts(patterns, options)).toThrow(expect.objectContaining({ option, constructor: OptionError }));
  });
});

describe("progress in words", () => {
  const progress = {
    pass: 1,
    done: 12,
    total: 40,
    hits: 3,
    filled: 8,
    skipped: 0,
    failed: 1,
    costTokens: 5310,
    elapsedMs: 9000,
    etaMs: 20_500,
  };

  it("is one line", () => {
    expect(progressText(progress)).toBe("12/40, 3 hits, 8 filled, 0 skipped, 1 failed, 5310 tokens, 21 s left");
    expect(progressText({ ...progress, total: undefined, etaMs: undefined })).toBe(
      "12, 3 hits, 8 filled, 0 skipped, 1 failed, 5310 tokens",
    );
  });

  it("is written over itself on a terminal, and nowhere else", () => {
    const written: string[] = [];
    const write = (text: string) => written.push(text);
    progressLine({ write })(progress);
    expect(written).toEqual([]);
    const tell = progressLine({ isTTY: true, write });
    tell(progress);
    tell({ ...progress, done: 40 });
    expect(written.map((text) => text.slice(0, 4))).toEqual(["\r\u001b[K", "\r\u001b[K"]);
    expect(written[1]?.endsWith("\n")).toBe(true);
  });
});
