import { has, type Query, type Reading } from "../reading.ts";
import type { Registry } from "../registry.ts";
import { CounterSeries, type Labels } from "../series.ts";
import { keyOf } from "./label-key.ts";

/** A window is known to a 72nd of its length: 6 hours to 5 minutes. */
const STEPS = 72;

interface Counts {
  readonly labels: Labels;
  whole: number;
  part: number;
}

/** What had been counted since the start, by label set, at a time. */
interface Mark {
  readonly at: number;
  readonly counts: ReadonlyMap<string, Counts>;
}

/**
 * Counts of a window that is longer than what metrics remember: the difference between what a counter says now and what it
 * said then.
 */
export class LongCounts {
  #registry: Registry;
  #query: Query;
  #marks: Mark[] = [];

  constructor(registry: Registry, query: Query) {
    this.#registry = registry;
    this.#query = query;
  }

  read(now: number): Reading[] {
    const counts = this.#countsAt(now);
    const { windowMs, aggregate } = this.#query;
    const last = this.#marks.at(-1);
    if (last === undefined || now - last.at >= windowMs / STEPS) this.#marks.push({ at: now, counts });
    while ((this.#marks[1]?.at ?? now) <= now - windowMs) this.#marks.shift();
    const then = this.#marks[0]?.counts;
    return [...counts].map(([key, { labels, whole, part }]) => {
      const before = then?.get(key);
      const count = whole - (before?.whole ?? 0);
      if (aggregate === "ratio") {
        return { labels, value: count === 0 ? undefined : (part - (before?.part ?? 0)) / count, count };
      }
      return { labels, value: aggregate === "rate" ? count / (windowMs / 1000) : count, count };
    });
  }

  #countsAt(now: number): Map<string, Counts> {
    const { metric, labels: filter = {}, share = {}, groupBy = [] } = this.#query;
    const groups = new Map<string, Counts>();
    if (groupBy.length === 0) groups.set(keyOf({}), { labels: {}, whole: 0, part: 0 });
    this.#registry.refresh(now, metric);
    for (const series of this.#registry.get(metric) ?? []) {
      if (!(series instanceof CounterSeries && has(series.labels, filter))) continue;
      const labels = Object.fromEntries(groupBy.map((label) => [label, series.labels[label] ?? ""]));
      const key = keyOf(labels);
      const group = groups.get(key) ?? { labels, whole: 0, part: 0 };
      groups.set(key, group);
      group.whole += series.total;
      if (has(series.labels, share)) group.part += series.total;
    }
    return groups;
  }
}
