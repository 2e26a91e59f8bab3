import type { AlertStatus } from "./alerts/index.ts";
import { DEFINITIONS, SERVICE_ERRORS } from "./definitions.ts";
import { rounded } from "./numbers.ts";
import { type LabelFilter, read } from "./reading.ts";
import type { Registry } from "./registry.ts";

export type HealthStatus = "ok" | "degraded" | "down";

export interface HealthReason {
  /** `calls`, `breaker`, `cache` or `alert`. */
  readonly check: string;
  readonly detail: string;
}

export interface Health {
  readonly status: HealthStatus;
  readonly reasons: readonly HealthReason[];
  /** When this status was first seen, milliseconds since the Unix epoch. */
  readonly since: number;
}

const WINDOW_MS = 60_000;
const CALLS_MIN = 10;
const DEGRADED_RATIO = 0.1;
const DOWN_RATIO = 0.5;
// What the caller did to itself says nothing of the service.
const UNANSWERED = { error_type: [...SERVICE_ERRORS, "refused"] };

/** Judges the last minute: `down` when half of the calls get no answer, `degraded` for anything less that is wrong. */
export function judge(registry: Registry, alerts: readonly AlertStatus[], now: number): Omit<Health, "since"> {
  const unanswered = unansweredRatio(registry, now);
  const reasons: HealthReason[] = [];
  if (unanswered > DEGRADED_RATIO) {
    reasons.push({
      check: "calls",
      detail: `${rounded(unanswered * 100)} % of the calls of the last minute got no answer`,
    });
  }
  for (const breaker of flagged(registry, DEFINITIONS.breakerState.name, "breaker", { state: "open" }, now)) {
    reasons.push({ check: "breaker", detail: `${breaker} is open` });
  }
  for (const tier of flagged(registry, DEFINITIONS.cacheTierDisabled.name, "tier", {}, now)) {
    reasons.push({ check: "cache", detail: `the tier ${tier} is left out because it failed` });
  }
  for (const { id, level, state } of alerts) {
    const lasts = state === "firing" || state === "recovering";
    if (level === "critical" && lasts) reasons.push({ check: "alert", detail: `${id} is firing` });
  }
  return { status: unanswered >= DOWN_RATIO ? "down" : reasons.length > 0 ? "degraded" : "ok", reasons };
}

function unansweredRatio(registry: Registry, now: number): number {
  const query = { metric: DEFINITIONS.calls.name, aggregate: "ratio", windowMs: WINDOW_MS, share: UNANSWERED } as const;
  const [reading] = read(registry, query, now);
  return reading === undefined || reading.count < CALLS_MIN ? 0 : (reading.value ?? 0);
}

/** The values of a label for which a gauge is not zero. */
function flagged(registry: Registry, metric: string, label: string, labels: LabelFilter, now: number): string[] {
  return read(registry, { metric, aggregate: "value", windowMs: WINDOW_MS, labels, groupBy: [label] }, now)
    .filter(({ value }) => value !== undefined && value > 0)
    .map((reading) => reading.labels[label] ?? "");
}
