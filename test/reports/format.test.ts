import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { OptionError } from "../../src/core/index.ts";
import {
  formatHtml,
  formatJson,
  formatMarkdown,
  journal,
  plot,
  plotPng,
  type Summary,
} from "../../src/reports/index.ts";
import { worldOf } from "./support.ts";

const MINUTE_MS = 60_000;

async function summaryWith(model: string): Promise<Summary> {
  const { optimizer, traffic } = worldOf({ monitor: { defaultAlerts: false } });
  const book = journal(optimizer, { every: "1m", keep: "1h" });
  await traffic(2, 20);
  const summary = book.summary({ hours: 0.5 });
  book.close();
  await optimizer.close();
  const kinds = summary.kinds.map((kind) => ({ ...kind, model }));
  const degradation = {
    measure: "p95",
    before: 100,
    after: 200,
    n: { before: 100, after: 100 },
    verdict: "worse",
  } as const;
  const comparedWith = { from: summary.from, to: summary.to, calls: 5 };
  return { ...summary, kinds, comparedWith, degradations: [{ ...degradation, model, op: "chat", provider: "p" }] };
}

describe("a summary as a document", () => {
  it("holds names as they are, and nothing of them becomes markup", async () => {
    const plain = await summaryWith("x");
    const tagsOf = (text: string) => text.match(/<[a-z!/][^>]*>/g);
    const [tags, lines] = [tagsOf(formatHtml(plain)), formatMarkdown(plain).split("\n").length];
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 40 }), (model) => {
        const summary = { ...plain, kinds: plain.kinds.map((kind) => ({ ...kind, model })) };
        const html = formatHtml(summary);
        expect(tagsOf(html)).toEqual(tags);
        expect(formatMarkdown(summary).split("\n")).toHaveLength(lines);
        expect(JSON.parse(formatJson(summary)).kinds[0].model).toBe(model.toWellFormed());
      }),
    );
    const hostile = await summaryWith('<img src=x onerror="alert(1)">|`code`');
    expect(formatHtml(hostile)).not.toContain("<img");
    expect(formatMarkdown(hostile)).toContain("\\<img src=x");
    expect(formatMarkdown(hostile)).toContain("\\|\\`code\\`");
  });

  it("steers no terminal by a name", async () => {
    expect(formatMarkdown(await summaryWith("m\u001b[2J\u202e\u2028\u0085"))).not.toMatch(/[^\P{C}\n]|[\u2028\u2029]/u);
  });

  it("is a page without scripts and without anything from elsewhere", async () => {
    const html = formatHtml(await summaryWith("m"), { plots: ["<svg></svg>"] });
    expect(html).not.toMatch(/<script|<link|@import|url\(|src=/);
    expect(html).toContain("<figure><svg></svg></figure>");
    expect(html).toContain("prefers-color-scheme:dark");
  });

  it("tells what is unknown apart from nothing", async () => {
    const { optimizer } = worldOf({ monitor: { defaultAlerts: false } });
    const book = journal(optimizer);
    const empty = book.summary();
    for (const text of [formatMarkdown(empty), formatHtml(empty), formatJson(empty)]) {
      expect(text).not.toMatch(/NaN|Infinity|undefined|null/);
    }
    expect(formatMarkdown(empty)).toContain("There is nothing earlier to compare with.");
    expect(empty.total).toMatchObject({ calls: 0 });
    expect(empty.total).not.toHaveProperty("duration");
    book.close();
    await optimizer.close();
  });
});

describe("a plot", () => {
  it("breaks where there was no data, and shows one line for each value of a label", async () => {
    const { optimizer, clock, traffic } = worldOf({ monitor: { defaultAlerts: false } });
    await traffic(5, 60, { models: ["m1"] });
    await clock.advance(10 * MINUTE_MS);
    await traffic(5, 60, { models: ["m1", "m2"] });
    const { monitor } = optimizer;
    const svg = plot(monitor, "breakwater.call.duration", { aggregate: "p95", minutes: 30, by: "model" });
    const paths = [...svg.matchAll(/<path [^>]* d="([^"]*)"/g)].map(([, d]) => d as string);
    expect(paths).toHaveLength(2);
    expect(paths.map((d) => d.split("M").length - 1).toSorted()).toEqual([1, 2]);
    expect(svg).toContain("m2");
    const png = await plotPng(monitor, "breakwater.calls", { minutes: 30, title: "Calls" });
    expect(Buffer.from(png).subarray(1, 4).toString()).toBe("PNG");
    await optimizer.close();
  });

  it("of a metric that has no data says so", async () => {
    const { optimizer } = worldOf({ monitor: { defaultAlerts: false } });
    expect(plot(optimizer.monitor, "breakwater.call.duration")).toContain("No data");
    await optimizer.close();
  });

  it("refuses what it cannot draw", async () => {
    const { optimizer } = worldOf({ monitor: { defaultAlerts: false } });
    for (const options of [{ width: 5 }, { minutes: 500 }, { by: "prompt" }, { colour: "red" }]) {
      expect(() => plot(optimizer.monitor, "breakwater.call.duration", options as never)).toThrow(OptionError);
    }
    expect(() => plot(optimizer.monitor, "breakwater.none")).toThrow(OptionError);
    await optimizer.close();
  });
});
