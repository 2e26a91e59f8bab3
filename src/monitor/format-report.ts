import { rounded } from "./numbers.ts";
import type { Report, ReportRow } from "./report.ts";

const HEAD = ["metric", "unit", "labels", "count", "mean", "min", "p50", "p95", "p99", "max"];
const FIRST_NUMBER = 3;

/** A report as a table of text, with its totals above. */
export function formatReport(report: Report): string {
  const { from, to, metrics, totals } = report;
  const title = `${new Date(from).toISOString()} to ${new Date(to).toISOString()}`;
  const sums = Object.entries(totals).map(([name, value]) => `${name} ${rounded(value)}`);
  const { trendMinutes } = report;
  const head = trendMinutes === undefined ? HEAD : [...HEAD, `trend, ${rounded(trendMinutes)} min`];
  return `${[title, sums.join("  "), "", ...table(head, metrics.map(cellsOf))].join("\n")}\n`;
}

// A counter's total stands under count and its rate per second under mean; a gauge's value under mean.
function cellsOf(row: ReportRow): string[] {
  const labels = Object.entries(row.labels)
    .map(([key, value]) => `${key}=${value}`)
    .join(" ");
  const start = [row.name, row.unit, labels];
  switch (row.kind) {
    case "counter":
      return [...start, rounded(row.total), `${rounded(row.rate)}/s`, "", "", "", "", "", trendText(row)];
    case "gauge":
      return [...start, "", rounded(row.value), "", "", "", "", "", trendText(row)];
    case "histogram":
      return [
        ...start,
        ...[row.count, row.mean, row.min, row.p50, row.p95, row.p99, row.max].map((value) =>
          value === undefined ? "" : rounded(value),
        ),
        trendText(row),
      ];
  }
}

function trendText({ trend }: ReportRow): string {
  if (trend === undefined) return "";
  const { direction, of, before, now } = trend;
  if (direction === "too_few") return "n too small";
  return direction === "steady" ? direction : `${direction}: ${of} ${rounded(before)} to ${rounded(now)}`;
}

function table(head: readonly string[], rows: readonly string[][]): string[] {
  const all = [head, ...rows];
  const widths = head.map((_, column) => Math.max(...all.map((row) => (row[column] ?? "").length)));
  return all.map((row) =>
    row
      .map((cell, column) => {
        const width = widths[column] ?? 0;
        return column < FIRST_NUMBER || column >= HEAD.length ? cell.padEnd(width) : cell.padStart(width);
      })
      .join("  ")
      .trimEnd(),
  );
}
