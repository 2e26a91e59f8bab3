import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { barChart, lineChart, png, shortNumber } from "../../src/charts/index.ts";
import { scaleOf } from "../../src/charts/scale.ts";
import { MissingPeerError } from "../../src/core/index.ts";

const axes = { x: { label: "size" }, y: { label: "hits" } };

/** Whether every tag is closed by its own, and no bare ampersand is left. */
function wellFormed(svg: string): boolean {
  const open: string[] = [];
  for (const [tag, closing, name, , selfClosing] of svg.matchAll(/<(\/?)([a-z]+)((?:\s[\w-]+="[^"<]*")*)(\/?)>/g)) {
    if (tag.includes("&") && /&(?!(amp|lt|gt|quot);)/.test(tag)) return false;
    if (closing === "/") {
      if (open.pop() !== name) return false;
    } else if (selfClosing !== "/") open.push(name as string);
  }
  const rest = svg.replace(/<style>.*?<\/style>/s, "").replace(/<\/?[a-z]+(?:\s[\w-]+="[^"<]*")*\/?>/g, "");
  return open.length === 0 && !/[<>]|&(?!(amp|lt|gt|quot);)/.test(rest);
}

describe("the ticks of a scale", () => {
  it("are round numbers", () => {
    expect(scaleOf("linear", { min: 0, max: 100 }, 5, true).ticks).toEqual([0, 20, 40, 60, 80, 100]);
    expect(scaleOf("linear", { min: 0.03, max: 0.47 }, 5, true).ticks).toEqual([0, 0.1, 0.2, 0.3, 0.4, 0.5]);
    expect(scaleOf("linear", { min: -3, max: 11 }, 6, false).ticks).toEqual([-2.5, 0, 2.5, 5, 7.5, 10]);
    expect(scaleOf("log", { min: 0.001, max: 0.2 }, 8, false).ticks).toEqual([
      ...[0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2],
    ]);
    expect(scaleOf("log", { min: 1, max: 1e6 }, 6, true).ticks).toEqual([1, 10, 100, 1000, 10_000, 100_000, 1e6]);
    expect(scaleOf("log", { min: 1, max: 1e12 }, 6, true).ticks).toEqual([1, 100, 1e4, 1e6, 1e8, 1e10, 1e12]);
  });

  it("lie within the range or around it, rise, and are neither too few nor too many", () => {
    const values = fc.tuple(
      fc.double({ min: 1e-6, max: 1e9, noNaN: true }),
      fc.double({ min: 1.05, max: 1e6, noNaN: true }),
    );
    fc.assert(
      fc.property(values, fc.constantFrom("linear", "log"), fc.boolean(), ([min, factor], kind, widen) => {
        const max = min * factor;
        const { ticks, place } = scaleOf(kind, { min, max }, 6, widen);
        expect(ticks).toEqual([...new Set(ticks)].toSorted((a, b) => a - b));
        expect(ticks.length).toBeLessThan(20);
        const places = [place(min), place(max)];
        for (const each of places) expect(each).toSatisfy((at) => at >= -1e-6 && at <= 1 + 1e-6);
        if (!widen) for (const tick of ticks) expect(place(tick)).toSatisfy((at) => at >= -1e-6 && at <= 1 + 1e-6);
        else expect(ticks.length).toBeGreaterThan(1);
      }),
    );
  });

  it("are written with at most four digits", () => {
    expect([0, 0.125, 1234, 12_345, 2e6, 1.5e9, 3e13, 1e-9].map(shortNumber)).toEqual([
      ...["0", "0.125", "1234", "12.35k", "2M", "1.5G", "30T", "1e-9"],
    ]);
  });
});

describe("a line chart", () => {
  it("draws every point where it belongs", () => {
    const svg = lineChart({
      ...axes,
      title: "T",
      series: [
        {
          name: "a",
          points: [
            [0, 0],
            [5, 50],
            [10, 100],
          ],
        },
      ],
    });
    const [, d = ""] = /<path[^>]* d="([^"]*)"/.exec(svg) ?? [];
    const [first, middle, last] = d
      .split(/[ML]/)
      .slice(1)
      .map((pair) => pair.split(" ").map(Number));
    expect(middle?.[0]).toBeCloseTo(((first?.[0] ?? 0) + (last?.[0] ?? 0)) / 2, 0);
    expect(middle?.[1]).toBeCloseTo(((first?.[1] ?? 0) + (last?.[1] ?? 0)) / 2, 0);
    expect(last?.[1]).toBeLessThan(first?.[1] ?? 0);
    expect(svg.match(/<circle/g)?.length).toBe(3);
  });

  it("draws steps where it is asked for them", () => {
    const svg = lineChart({
      ...axes,
      title: "T",
      series: [
        {
          name: "a",
          step: true,
          points: [
            [0, 1],
            [1, 2],
          ],
        },
      ],
    });
    expect(svg).toMatch(/d="M[\d.]+ [\d.]+H[\d.]+V[\d.]+"/);
  });

  it("names itself, its series and its values for who cannot see it", () => {
    const svg = lineChart({
      ...axes,
      title: "Hits & <misses>",
      description: "More is better.",
      series: [
        { name: "a", points: [[1, 2]] },
        { name: "b", points: [] },
      ],
    });
    expect(svg).toContain('role="img" aria-label="Hits &amp; &lt;misses&gt;"');
    expect(svg).toContain("<title>Hits &amp; &lt;misses&gt;</title><desc>More is better.</desc>");
    expect(svg).toContain("<title>a: 1, 2</title>");
    expect(svg).toMatch(/prefers-color-scheme:dark/);
  });

  it("says so when there is nothing to draw", () => {
    const nothing = [Number.NaN, Number.POSITIVE_INFINITY];
    const series = [{ name: "a", points: nothing.map((value) => [1, value] as const) }];
    expect(lineChart({ ...axes, title: "T", series })).toContain("No data");
    expect(lineChart({ ...axes, title: "T", series: [] })).toContain("No data");
  });

  it("leaves out what a logarithmic axis has no place for", () => {
    const series = [
      {
        name: "a",
        points: [
          [0, 1],
          [1, 1],
          [10, 2],
        ] as const,
      },
    ];
    const svg = lineChart({ x: { label: "size", scale: "log" }, y: { label: "hits" }, title: "T", series });
    expect(svg.match(/<circle/g)?.length).toBe(2);
  });
});

describe("a bar chart", () => {
  it("draws bars from nought, and as high as their values", () => {
    const svg = barChart({
      title: "T",
      x: { label: "policy", categories: ["lru", "gdsf"] },
      y: { label: "saved" },
      series: [
        { name: "a", values: [10, 20] },
        { name: "b", values: [Number.NaN, -10] },
      ],
    });
    const heights = [...svg.matchAll(/<rect class="bw-fill\d"[^>]* height="([\d.]+)"/g)].map(([, height]) =>
      Number(height),
    );
    expect(heights.length).toBe(3);
    expect((heights[1] ?? 0) / (heights[0] ?? 1)).toBeCloseTo(2, 1);
    expect((heights[2] ?? 0) / (heights[0] ?? 1)).toBeCloseTo(1, 1);
  });
});

describe("a picture of a chart", () => {
  it("is a PNG where its peer is installed, and says what to install where it is not", async () => {
    const svg = lineChart({ ...axes, title: "T", series: [{ name: "a", points: [[1, 2]] }] });
    const drawn = await png(svg).catch((error: unknown) => error);
    if (drawn instanceof MissingPeerError) expect(drawn.message).toContain("npm install @resvg/resvg-js");
    else expect([...(drawn as Uint8Array).subarray(1, 4)]).toEqual([..."PNG"].map((letter) => letter.charCodeAt(0)));
  });
});

describe("every chart", () => {
  it("is well-formed and without holes, whatever it is given", () => {
    const number = fc.oneof(fc.double(), fc.integer(), fc.constantFrom(0, -0, 1e308, 5e-324));
    const name = fc.string({ unit: "binary" });
    const scale = fc.constantFrom("linear" as const, "log" as const);
    fc.assert(
      fc.property(
        name,
        scale,
        fc.array(fc.record({ name, points: fc.array(fc.tuple(number, number)), step: fc.boolean() }), {
          maxLength: 12,
        }),
        (title, kind, series) => {
          const line = lineChart({ title, x: { label: title, scale: kind }, y: { label: title, scale: kind }, series });
          const bar = barChart({
            title,
            x: { label: title, categories: series.map((each) => each.name) },
            y: { label: title, scale: kind },
            series: series.map((each) => ({ name: each.name, values: each.points.map(([, value]) => value) })),
          });
          for (const svg of [line, bar]) {
            expect(wellFormed(svg)).toBe(true);
            expect(svg.replace(/>[^<]*</g, "><").replace(/aria-label="[^"]*"/, "")).not.toMatch(
              /NaN|Infinity|undefined/,
            );
          }
        },
      ),
      { numRuns: 200 },
    );
  });
});
