import type { EvictionItem, EvictionPolicy, Place } from "../../src/stores/eviction/index.ts";

/** What is known of an entry before it is kept. */
export interface Facts {
  readonly bytes: number;
  readonly cost: number;
  readonly tookMs: number;
  readonly expiresAt: number;
}

export class TestItem implements EvictionItem {
  readonly key: string;
  readonly bytes: number;
  readonly cost: number;
  readonly tookMs: number;
  readonly expiresAt: number;
  place: Place | undefined = undefined;
  newer: EvictionItem | undefined = undefined;
  older: EvictionItem | undefined = undefined;
  slot = 0;
  uses = 0;
  gain = 0;
  value = 0;
  order = 0;

  constructor(key: string, facts: Facts) {
    this.key = key;
    this.bytes = facts.bytes;
    this.cost = facts.cost;
    this.tookMs = facts.tookMs;
    this.expiresAt = facts.expiresAt;
  }
}

export interface Step {
  readonly key: string;
  readonly facts: Facts;
  /** Somebody else takes the entry out, if it is there. */
  readonly remove: boolean;
}

/** Asks for keys one after another in a cache of `maxBytes`, and tells which entries went, in order. */
export function victimsOf(policy: EvictionPolicy, steps: readonly Step[], maxBytes: number): string[] {
  const held = new Map<string, TestItem>();
  const victims: string[] = [];
  let bytes = 0;
  for (const { key, facts, remove } of steps) {
    const item = held.get(key);
    if (remove) {
      if (item === undefined) continue;
      item.place?.remove(item);
      held.delete(key);
      bytes -= item.bytes;
    } else if (item !== undefined) {
      policy.onHit(item);
    } else {
      const added = new TestItem(key, facts);
      held.set(key, added);
      bytes += added.bytes;
      policy.onInsert(added);
    }
    while (bytes > maxBytes) {
      const victim = policy.victim();
      if (victim === undefined || held.get(victim.key) !== victim) throw new Error("The victim is not held.");
      if (victim.place !== undefined) throw new Error("The victim is still in its place.");
      held.delete(victim.key);
      bytes -= victim.bytes;
      victims.push(victim.key);
    }
  }
  return victims;
}
