import { lineChart, shortNumber } from "../../charts/index.ts";
import type { HeldOutError, ProviderFit } from "./provider-fit.ts";
import type { ReplayReport } from "./replay.ts";

const ABSENT = "-";
const COLUMNS = [
  "",
  "answered",
  "refused",
  "failed",
  "requests",
  "429s",
  "hits",
  "cost",
  "p50",
  "p99",
  "tokens/min",
  "fairness",
];

const percent = (share: number): string => `${(share * 100).toFixed(1)} %`;
/** The picture begins here: what the cache answers takes no time, and a logarithmic axis has no 0. */
const SHOWN_FROM_MS = 10;

function time(ms: number): string {
  if (!Number.isFinite(ms)) return ABSENT;
  if (ms < 1_000) return `${ms.toFixed(0)} ms`;
  return `${(ms / 1000).toFixed(ms < 10_000 ? 2 : 1)} s`;
}

/** The results as a table of text, a configuration on each line, below what was replayed and how good the fit is. */
export function formatReplay(report: ReplayReport): string {
  const { calls, spanMs, provider, heldOut, recorded, runs } = report;
  const rows: string[][] = runs.map((run) => [
    run.name,
    String(run.answered),
    String(Object.values(run.refused).reduce((sum, count) => sum + count, 0)),
    String(run.failed),
    String(run.attempts),
    String(run.rateLimited),
    percent(run.hitRate),
    `$${run.costDollars.toFixed(2)}`,
    time(run.p50Ms),
    time(run.p99Ms),
    shortNumber(run.goodput),
    run.fairness?.toFixed(3) ?? ABSENT,
  ]);
  if (recorded !== undefined) {
    const { answered, refused, failed, attempts, rateLimited } = recorded;
    const counts = [answered, refused, failed, attempts, rateLimited].map(String);
    const { hitRate, costDollars, p50Ms, p99Ms } = recorded;
    const rest = [percent(hitRate), `$${costDollars.toFixed(2)}`, time(p50Ms), time(p99Ms), ABSENT, ABSENT];
    rows.push(["(as recorded)", ...counts, ...rest]);
  }
  const table = [COLUMNS, ...rows];
  const widths = COLUMNS.map((_, column) => Math.max(...table.map((row) => (row[column] ?? "").length)));
  const lines = table.map((row) =>
    row
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0)))
      .join("  ")
      .trimEnd(),
  );
  const heading = `${calls.toLocaleString("en")} calls in ${(spanMs / 60_000).toFixed(1)} min`;
  return [heading, providerText(provider), heldOutText(heldOut), "", ...lines].join("\n");
}

function providerText(provider: ProviderFit): string {
  const { latencyFrom, answers, latency, failureRate, requestsPerMinute, tokensPerMinute } = provider;
  const { firstMs, perInputTokenMs, perOutputTokenMs } = latency;
  const source =
    latencyFrom === "trace" ? `fitted to ${answers.toLocaleString("en")} answers` : "assumed, the trace tells no times";
  const limits = [
    requestsPerMinute === undefined ? [] : [`${shortNumber(requestsPerMinute)} requests/min`],
    tokensPerMinute === undefined ? [] : [`${shortNumber(tokensPerMinute)} tokens/min`],
  ].flat();
  const times = `${firstMs.toFixed(0)} ms + ${perInputTokenMs.toFixed(2)} ms an input token + ${perOutputTokenMs.toFixed(1)} ms an output token`;
  const bounds = limits.length === 0 ? "no limits known" : `limits ${limits.join(", ")}`;
  return `provider: ${times} (${source}), ${percent(failureRate)} of the tries fail, ${bounds}`;
}

function heldOutText(heldOut: HeldOutError | undefined): string {
  if (heldOut === undefined) return "error of the fit: unknown, too few held-out calls tell their time";
  const parts = heldOut.quantiles.map(
    ({ quantile, realMs, fittedMs, error }) =>
      `p${quantile * 100} ${time(fittedMs)} for ${time(realMs)} (${error < 0 ? "" : "+"}${(error * 100).toFixed(0)} %)`,
  );
  return `error of the fit on ${heldOut.calls.toLocaleString("en")} held-out calls: ${parts.join(", ")}`;
}

export interface PlotReplayOptions {
  readonly title?: string | undefined;
}

/**
 * How long calls took, as the text of an SVG: a line for each configuration, the share of all calls that were answered
 * within a time. One that ends below 100 % left the rest without an answer.
 */
export function plotReplay({ calls, recorded, runs }: ReplayReport, options: PlotReplayOptions = {}): string {
  const all = recorded === undefined ? runs : [...runs, { ...recorded, name: "as recorded" }];
  const series = all.map(({ name, durations, answered }) => ({
    name,
    points: durations.map(
      (ms, index) => [Math.max(SHOWN_FROM_MS, ms), ((index / (durations.length - 1)) * answered) / calls] as const,
    ),
  }));
  return lineChart({
    title: options.title ?? "Calls answered within a time",
    description: `The share of ${calls} calls that were answered within a time, for ${all.map(({ name }) => name).join(", ")}.`,
    x: { label: "time from a call's coming to the end of its answer", scale: "log", format: time },
    y: { label: "calls answered", min: 0, max: 1, format: percent },
    series,
  });
}
