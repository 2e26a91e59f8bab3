import { PRIORITY_LEVELS, type PriorityName } from "../../core/index.ts";
import type { Slots } from "./slots.ts";

/** The state of one partition. */
export interface PartitionSnapshot {
  readonly share: number;
  readonly running: number;
  readonly queued: number;
}

/** The pool's state for `optimizer.stats()`. */
export interface PoolSnapshot {
  readonly concurrency: number;
  readonly maxQueue: number;
  /** Slots that are taken. */
  readonly running: number;
  readonly queued: number;
  /** Calls without a slot that had one: they wait long for something else, or for a slot again. */
  readonly away: number;
  /** Who waits, by priority; a level without a name counts to the class above it. */
  readonly queuedByPriority: Readonly<Record<PriorityName, number>>;
  /** How long the one that came first has been waiting, in milliseconds. */
  readonly oldestWaitMs: number;
  /** Mean time a slot is held, in milliseconds; absent before 20 calls have ended. */
  readonly serviceMs: number | undefined;
  readonly partitions: Readonly<Record<string, PartitionSnapshot>>;
}

export function snapshotOf(slots: Slots, now: number): PoolSnapshot {
  const { concurrency, maxQueue } = slots.settings;
  const partitions = [...slots.partitions.named].map(([name, { share, running, queue }]) => [
    name,
    { share, running, queued: queue.size },
  ]);
  const oldest = slots.oldestSince();
  return {
    concurrency,
    maxQueue,
    running: slots.running,
    queued: slots.queued,
    away: slots.away,
    queuedByPriority: byPriority(slots),
    oldestWaitMs: oldest === undefined ? 0 : now - oldest,
    serviceMs: slots.serviceMs,
    partitions: Object.fromEntries(partitions),
  };
}

function byPriority(slots: Slots): Record<PriorityName, number> {
  const levels = Object.values(PRIORITY_LEVELS);
  const names = Object.keys(PRIORITY_LEVELS) as PriorityName[];
  const counts: Record<PriorityName, number> = { critical: 0, high: 0, normal: 0, low: 0, background: 0 };
  for (const { queue } of slots.partitions) {
    queue.counts.forEach((count, level) => {
      const name = names[levels.findLastIndex((named) => named <= Math.max(level, levels[0] ?? 0))];
      if (name !== undefined) counts[name] += count;
    });
  }
  return counts;
}
