import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { bytes, dollars, NO_DATA, percent, seconds, span } from "../../src/dashboard/page/format.ts";
import { merged } from "../../src/dashboard/page/merge.ts";
import type { Points, View } from "../../src/dashboard/view.ts";

const STEP = 5_000;
const MINUTE = 60_000;

/** A view whose only chart has these lines. */
function viewOf(at: number, lines: Readonly<Record<string, Points>>): View {
  const series = Object.entries(lines).map(([label, points]) => ({ label, points }));
  return {
    at,
    query: { window: 1, provider: null, model: null },
    charts: { errors: { series, n: null } },
  } as unknown as View;
}

function linesOf(view: View): Record<string, Points> {
  return Object.fromEntries(view.charts.errors.series.map(({ label, points }) => [label, points]));
}

/** What a monitor tells of the last minute, or of its last `count` steps. */
function pointsAt(now: number, count = 12, jitter = 0): Points {
  const last = Math.floor(now / STEP) * STEP;
  return Array.from({ length: count }, (_, index) => {
    const at = last - (count - 1 - index) * STEP;
    return [at + jitter, at / STEP] as const;
  });
}

describe("merging updates into a view", () => {
  it("gives what a whole view would have given, however the clock trembles", () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ pause: fc.integer({ min: 200, max: 9_000 }), jitter: fc.integer({ min: -40, max: 40 }) })),
        (ticks) => {
          let now = 10 * MINUTE;
          let view = viewOf(now, { a: pointsAt(now) });
          for (const { pause, jitter } of ticks) {
            now += pause;
            view = merged(view, viewOf(now, { a: pointsAt(now, 3, jitter) }));
          }
          const times = (linesOf(view)["a"] ?? []).map(([at]) => Math.round(at / STEP));
          expect(new Set(times).size).toBe(times.length);
          expect([...times].sort((a, b) => a - b)).toEqual(times);
          expect(times.slice(-12)).toEqual(pointsAt(now).map(([at]) => at / STEP));
          expect(times.length).toBeLessThanOrEqual(14);
        },
      ),
    );
  });

  it("takes the running step's newer value", () => {
    const before = viewOf(MINUTE, {
      a: [
        [0, 1],
        [STEP, 2],
      ],
    });
    expect(linesOf(merged(before, viewOf(MINUTE, { a: [[STEP, 7]] })))["a"]).toEqual([
      [0, 1],
      [STEP, 7],
    ]);
  });

  it("keeps the history of a line that is not told of any more, until it has gone by", () => {
    const before = viewOf(MINUTE, { a: pointsAt(MINUTE), b: pointsAt(MINUTE) });
    const after = merged(before, viewOf(MINUTE + 1_000, { a: pointsAt(MINUTE + 1_000, 3) }));
    expect(Object.keys(linesOf(after))).toEqual(["a", "b"]);
    const later = merged(after, viewOf(5 * MINUTE, { a: pointsAt(5 * MINUTE, 3) }));
    expect(Object.keys(linesOf(later))).toEqual(["a"]);
  });

  it("keeps a gap a gap", () => {
    const before = viewOf(MINUTE, {
      a: [
        [0, null],
        [STEP, 0],
      ],
    });
    expect(linesOf(merged(before, viewOf(MINUTE, { a: [[2 * STEP, null]] })))["a"]).toEqual([
      [0, null],
      [STEP, 0],
      [2 * STEP, null],
    ]);
  });
});

describe("numbers on the page", () => {
  it("tell no data from zero", () => {
    for (const format of [seconds, percent, dollars, bytes]) {
      expect(format(null)).toBe(NO_DATA);
      expect(format(0)).toMatch(/0/);
    }
  });

  it("never call most all, nor something nothing", () => {
    expect([percent(1), percent(0.99999), percent(0.999), percent(0.0001), percent(0)]).toEqual([
      "100 %",
      "> 99.9 %",
      "99.9 %",
      "< 0.1 %",
      "0 %",
    ]);
  });

  it("have the unit that fits", () => {
    expect([seconds(0.0123), seconds(0.9996), seconds(61.5), seconds(125), seconds(7_200)]).toEqual([
      "12.3 ms",
      "1 s",
      "61.5 s",
      "2 min 5 s",
      "2 h",
    ]);
    expect([bytes(512), bytes(1_536), bytes(2 ** 31)]).toEqual(["512 B", "1.5 KB", "2 GB"]);
    expect([span(999), span(61_000), span(3_660_000)]).toEqual(["1 s", "1 min 1 s", "1 h 1 min"]);
    expect([dollars(0.00042), dollars(1.5), dollars(12_345)]).toEqual(["$0.00042", "$1.50", "$12.3K"]);
  });
});
