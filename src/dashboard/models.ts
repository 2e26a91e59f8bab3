import { CALLS, COST, DURATION, ENDED, FIRST_CHUNK, TOKENS } from "./metric-names.ts";
import type { Readings } from "./readings.ts";
import type { RecentEvents } from "./recent.ts";
import type { ModelView } from "./view.ts";

/** Rows that are sent. Each costs a few readings of distributions. */
const ROWS_MAX = 60;

interface Sums {
  readonly provider: string;
  readonly model: string;
  calls: number;
  ended: number;
  answered: number;
  inputTokens: number;
  outputTokens: number;
  cost: number;
}

/** One row for each provider and model, the busiest first. */
export function modelsOf(
  readings: Readings,
  recent: RecentEvents,
  priced: boolean,
): { readonly rows: readonly ModelView[]; readonly leftOut: number } {
  const all = readings.ofEverything();
  const sums = all.lines(CALLS, { aggregate: "count" }, "provider").flatMap(({ label }) => sumsOf(all, label));
  const busy = sums.filter(({ calls }) => calls > 0).sort((a, b) => b.calls - a.calls);
  const rows = busy.slice(0, ROWS_MAX).map((row): ModelView => {
    const labels = { provider: row.provider, model: row.model };
    return {
      ...labels,
      calls: row.calls,
      success: row.ended === 0 ? null : row.answered / row.ended,
      p95: all.value(DURATION, { aggregate: "p95", labels }),
      n: all.value(DURATION, { aggregate: "count", labels }) ?? 0,
      firstChunkP95: all.value(FIRST_CHUNK, { aggregate: "p95", labels }),
      inputTokens: row.inputTokens,
      outputTokens: row.outputTokens,
      cost: priced ? row.cost : null,
      breaker: recent.breakerOf(labels),
      headroom: recent.headroomOf(labels),
    };
  });
  return { rows, leftOut: busy.length - rows.length };
}

/** What was counted of each model of a provider. */
function sumsOf(readings: Readings, provider: string): Sums[] {
  const rows = new Map<string, Sums>();
  const add = (
    part: keyof Omit<Sums, "provider" | "model">,
    metric: string,
    labels: Record<string, string | readonly string[]> = {},
  ): void => {
    for (const { label, points } of readings.lines(
      metric,
      { aggregate: "sum", labels: { ...labels, provider } },
      "model",
    )) {
      let row = rows.get(label);
      if (row === undefined) {
        row = { provider, model: label, calls: 0, ended: 0, answered: 0, inputTokens: 0, outputTokens: 0, cost: 0 };
        rows.set(label, row);
      }
      for (const [, value] of points) row[part] += value ?? 0;
    }
  };
  add("calls", CALLS);
  add("ended", CALLS, ENDED);
  add("answered", CALLS, { outcome: "success" });
  add("inputTokens", TOKENS, { token_type: "input" });
  add("outputTokens", TOKENS, { token_type: "output" });
  add("cost", COST);
  return [...rows.values()];
}
