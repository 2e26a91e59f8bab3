import type { Finding } from "./findings.ts";
import type { AdvisorReport } from "./report.ts";

/** A report as text: the score and why, and a table of findings, each with what to do. */
export function formatAdvice(report: AdvisorReport): string {
  const { observedMs, calls, cost, score, reasons, findings } = report;
  const spent = cost === undefined ? "" : `, ${dollars(cost)}`;
  const lines = [`${calls} calls in ${span(observedMs)}${spent}`];
  const why = reasons.map(({ kind, points }) => `${kind} -${points}`).join(", ");
  lines.push(score === undefined ? "score: too few calls" : `score: ${score} of 100${why === "" ? "" : ` (${why})`}`);
  if (findings.length === 0) return [...lines, "nothing found"].join("\n");
  const rows = findings.map((finding) => [
    finding.kind,
    whose(finding),
    `${finding.affected} of ${finding.calls}`,
    finding.savesPerMonth.dollars === undefined ? "-" : dollars(finding.savesPerMonth.dollars),
    span(finding.savesPerMonth.seconds * 1000),
  ]);
  const table = columns([["finding", "of", "calls", "saves a month", "time"], ...rows]);
  lines.push("", table[0] as string);
  findings.forEach((finding, index) => {
    lines.push(table[index + 1] as string, `  ${finding.advice}`);
  });
  return lines.join("\n");
}

// A name may come from whoever calls: it must not break the line, nor steer a terminal.
const CONTROL = /\p{C}|[\u2028\u2029]/gu;

function whose(finding: Finding): string {
  return placeOf(finding).replace(CONTROL, "_");
}

function placeOf({ name, provider, model, route, template }: Finding): string {
  if (name !== undefined) return name;
  const place = provider === undefined ? "other" : `${provider}/${model}`;
  const parts = [place, route, template === undefined ? undefined : `#${template}`];
  return parts.filter((part) => part !== undefined).join(" ");
}

function columns(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, at) => Math.max(...rows.map((row) => row[at]?.length ?? 0)));
  return rows.map((row) =>
    row
      .map((cell, at) => cell.padEnd(widths[at] ?? 0))
      .join("  ")
      .trimEnd(),
  );
}

function dollars(value: number): string {
  return `$${value >= 100 ? Math.round(value) : value.toPrecision(2)}`;
}

const UNITS = [
  ["d", 86_400_000],
  ["h", 3_600_000],
  ["min", 60_000],
] as const;

function span(ms: number): string {
  for (const [unit, length] of UNITS) if (ms >= length) return `${Number((ms / length).toPrecision(2))} ${unit}`;
  return `${Math.round(ms / 1000)} s`;
}
