import { expect, it } from "vitest";
import { lineChart } from "../../src/charts/index.ts";

const axes = { x: { label: "minute" }, y: { label: "ms" } };

function pathOf(points: readonly (readonly [number, number | null])[]): string {
  const svg = lineChart({ title: "Gaps", ...axes, series: [{ name: "p95", points }] });
  return /<path [^>]* d="([^"]*)"/.exec(svg)?.[1] ?? "";
}

it("a line is broken where a value is null, and a value alone is a dot", () => {
  const whole = pathOf([
    [0, 1],
    [1, 2],
    [2, 3],
  ]);
  expect(whole.match(/M/g)).toHaveLength(1);
  const broken = pathOf([
    [0, 1],
    [1, 2],
    [2, null],
    [3, 3],
    [4, null],
    [5, 1],
    [6, 2],
  ]);
  expect(broken.match(/M/g)).toHaveLength(3);
  expect(broken).toContain("h0");
  expect(pathOf([[0, null]])).toBe("");
});
