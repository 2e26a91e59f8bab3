import type { MetricDefinition, MetricKind } from "./metric.ts";

/** Labels of what is counted by operation, provider and model. */
export const CALL = ["op", "provider", "model"];
/** What no event has touched for this long is not known any more: its policy may have forgotten the key. */
export const STATE_TTL_MS = 600_000;
const FIXED = [
  "outcome",
  "served_by",
  "error_type",
  "kind",
  "reason",
  "source",
  "phase",
  "token_type",
  "result",
  "unit",
  "state",
  "from",
  "to",
  "level",
  "how",
  "status",
  "resource",
  "certainty",
  "condition",
];

export function define(
  kind: MetricKind,
  name: string,
  unit: string,
  labels: readonly string[],
  description: string,
  ttlMs?: number,
): MetricDefinition {
  const fixed = labels.filter((label) => FIXED.includes(label));
  return { kind, name, unit, labels, description, fixed, ...(ttlMs !== undefined && { ttlMs }) };
}
