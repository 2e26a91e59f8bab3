import type { Labels } from "../series.ts";
import type { AlertTable, Tracked } from "./table.ts";

/** A rule's alerts and how far back it looks. */
export interface Watched {
  readonly table: AlertTable;
  readonly windowMs: number;
}

/**
 * Marks the alerts for which another one stands: a more severe one of the same family, or one of a rule that `inhibitedBy`
 * names and that is as severe, where the labels that both have are equal. The mark lasts one window longer than its cause, because for so long
 * the values of that time are still among those that are read.
 */
export function markCovered(watches: Iterable<Watched>, now: number): void {
  const all = [...watches].filter(({ table }) => table.alerts.size > 0);
  const firing = all.flatMap(({ table }) => [...table.alerts.values()].filter(isFiring));
  if (firing.length === 0) return;
  const byRule = groupedBy(firing, ({ rule }) => rule.id);
  const byFamily = groupedBy(firing, ({ rule }) => rule.family);
  for (const { table, windowMs } of all) {
    const { family, inhibitedBy } = table.rule;
    const named = inhibitedBy.filter((id) => id !== table.rule.id).flatMap((id) => byRule.get(id) ?? []);
    const related = byFamily.get(family) ?? [];
    if (named.length === 0 && related.length === 0) continue;
    for (const alert of table.alerts.values()) {
      const cause =
        named.find((other) => other.state.rank >= alert.state.rank && agree(other.labels, alert.labels)) ??
        related.find((other) => other.state.rank > alert.state.rank && agree(other.labels, alert.labels));
      if (cause === undefined) continue;
      alert.coveredUntil = now + windowMs;
      alert.coveredBy = cause.rule.id;
    }
  }
}

function isFiring({ state }: Tracked): boolean {
  return state.phase !== "pending";
}

function agree(one: Labels, other: Labels): boolean {
  for (const key in one) if (key in other && one[key] !== other[key]) return false;
  return true;
}

function groupedBy(alerts: readonly Tracked[], nameOf: (alert: Tracked) => string): Map<string, Tracked[]> {
  const groups = new Map<string, Tracked[]>();
  for (const alert of alerts) {
    const name = nameOf(alert);
    const group = groups.get(name);
    if (group === undefined) groups.set(name, [alert]);
    else group.push(alert);
  }
  return groups;
}
