// The policies once more, as their papers tell them: lists that are searched from end to end, and nothing clever.
import type { Facts } from "./items.ts";

/** One entry of a reference; the oldest comes first in every list. */
interface Kept {
  readonly key: string;
  readonly facts: Facts;
  uses: number;
  lastUse: number;
  value: number;
}

export interface Reference {
  has(key: string): boolean;
  hit(key: string): void;
  insert(key: string, facts: Facts): void;
  remove(key: string): void;
  /** Takes out the entry that goes. */
  evict(): string;
}

const sum = (list: readonly Kept[]): number => list.reduce((total, { facts }) => total + facts.bytes, 0);

/** Keeps all in one list; a subclass says which goes. */
abstract class ListReference implements Reference {
  list: Kept[] = [];
  now = 0;

  has(key: string): boolean {
    return this.list.some((each) => each.key === key);
  }

  hit(key: string): void {
    const kept = this.of(key);
    kept.uses++;
    kept.lastUse = ++this.now;
  }

  insert(key: string, facts: Facts): void {
    this.list.push({ key, facts, uses: 1, lastUse: ++this.now, value: 0 });
  }

  remove(key: string): void {
    this.list = this.list.filter((each) => each.key !== key);
  }

  evict(): string {
    const [lowest] = this.list.toSorted((a, b) => this.compare(a, b));
    if (lowest === undefined) throw new Error("Nothing is left.");
    this.remove(lowest.key);
    return lowest.key;
  }

  of(key: string): Kept {
    const kept = this.list.find((each) => each.key === key);
    if (kept === undefined) throw new Error("It is not kept.");
    return kept;
  }

  abstract compare(a: Kept, b: Kept): number;
}

class LruReference extends ListReference {
  compare(a: Kept, b: Kept): number {
    return a.lastUse - b.lastUse;
  }
}

class FifoReference extends ListReference {
  compare(): number {
    return 0;
  }
}

class LfuReference extends ListReference {
  compare(a: Kept, b: Kept): number {
    return a.uses - b.uses || a.lastUse - b.lastUse;
  }
}

class TtlReference extends ListReference {
  compare(a: Kept, b: Kept): number {
    return a.facts.expiresAt - b.facts.expiresAt;
  }
}

class SizeReference extends ListReference {
  compare(a: Kept, b: Kept): number {
    return b.facts.bytes - a.facts.bytes || a.lastUse - b.lastUse;
  }
}

class SieveReference implements Reference {
  #list: { key: string; visited: boolean }[] = [];
  #hand = 0;

  has(key: string): boolean {
    return this.#list.some((each) => each.key === key);
  }

  hit(key: string): void {
    for (const each of this.#list) if (each.key === key) each.visited = true;
  }

  insert(key: string): void {
    // A hand beyond the newest begins at the oldest again, also when one comes there meanwhile.
    if (this.#hand >= this.#list.length) this.#hand = 0;
    this.#list.push({ key, visited: false });
  }

  remove(key: string): void {
    const index = this.#list.findIndex((each) => each.key === key);
    if (index < this.#hand) this.#hand--;
    this.#list.splice(index, 1);
  }

  evict(): string {
    for (;;) {
      if (this.#hand >= this.#list.length) this.#hand = 0;
      const each = this.#list[this.#hand];
      if (each === undefined) throw new Error("Nothing is left.");
      if (!each.visited) {
        this.#list.splice(this.#hand, 1);
        return each.key;
      }
      each.visited = false;
      this.#hand++;
    }
  }
}

class S3FifoReference implements Reference {
  #small: Kept[] = [];
  #main: Kept[] = [];
  readonly #left: string[] = [];

  has(key: string): boolean {
    return [...this.#small, ...this.#main].some((each) => each.key === key);
  }

  hit(key: string): void {
    for (const each of [...this.#small, ...this.#main]) if (each.key === key) each.uses = Math.min(3, each.uses + 1);
  }

  insert(key: string, facts: Facts): void {
    const ghosts = this.#main.length === 0 ? [] : this.#left.slice(-this.#main.length);
    (ghosts.includes(key) ? this.#main : this.#small).push({ key, facts, uses: 0, lastUse: 0, value: 0 });
  }

  remove(key: string): void {
    this.#small = this.#small.filter((each) => each.key !== key);
    this.#main = this.#main.filter((each) => each.key !== key);
  }

  evict(): string {
    const small = sum(this.#small);
    if (this.#main.length === 0 || small > 0.1 * (small + sum(this.#main))) {
      const oldest = this.#small.shift() as Kept;
      if (oldest.uses <= 1) {
        this.#left.push(oldest.key);
        return oldest.key;
      }
      oldest.uses = 0;
      this.#main.push(oldest);
    } else {
      const oldest = this.#main.shift() as Kept;
      if (oldest.uses === 0) return oldest.key;
      oldest.uses--;
      this.#main.push(oldest);
    }
    return this.evict();
  }
}

class WTinyLfuReference implements Reference {
  #window: Kept[] = [];
  #probation: Kept[] = [];
  #protected: Kept[] = [];
  #candidate: string | undefined;
  readonly #counts = new Map<string, number>();
  #additions = 0;

  has(key: string): boolean {
    return this.#all().some((each) => each.key === key);
  }

  hit(key: string): void {
    this.#count(key);
    const kept = this.#all().find((each) => each.key === key) as Kept;
    const list = [this.#window, this.#protected].find((each) => each.includes(kept));
    if (list !== undefined) {
      list.push(...list.splice(list.indexOf(kept), 1));
      return;
    }
    this.#probation.splice(this.#probation.indexOf(kept), 1);
    this.#protected.push(kept);
    while (sum(this.#protected) > 0.8 * (sum(this.#probation) + sum(this.#protected)) && this.#protected.length > 1) {
      this.#probation.push(this.#protected.shift() as Kept);
    }
  }

  insert(key: string, facts: Facts): void {
    this.#count(key);
    this.#window.push({ key, facts, uses: 0, lastUse: 0, value: 0 });
    while (sum(this.#window) > 0.01 * sum(this.#all()) && this.#window.length > 1) {
      const kept = this.#window.shift() as Kept;
      this.#candidate = kept.key;
      this.#probation.push(kept);
    }
  }

  remove(key: string): void {
    const others = (list: readonly Kept[]): Kept[] => list.filter((each) => each.key !== key);
    [this.#window, this.#probation, this.#protected] = [
      others(this.#window),
      others(this.#probation),
      others(this.#protected),
    ];
    if (this.#candidate === key) this.#candidate = undefined;
  }

  evict(): string {
    const candidate = this.#probation.find((each) => each.key === this.#candidate);
    this.#candidate = undefined;
    const victim = (this.#probation[0] ?? this.#protected[0] ?? this.#window[0]) as Kept;
    const loses = candidate !== undefined && this.#uses(candidate.key) <= this.#uses(victim.key);
    const { key } = loses ? candidate : victim;
    this.remove(key);
    return key;
  }

  #all(): Kept[] {
    return [...this.#window, ...this.#probation, ...this.#protected];
  }

  #uses(key: string): number {
    return this.#counts.get(key) ?? 0;
  }

  #count(key: string): void {
    this.#counts.set(key, Math.min(15, this.#uses(key) + 1));
    if (++this.#additions < 640) return;
    for (const [each, count] of this.#counts) this.#counts.set(each, count >> 1);
    this.#additions >>= 1;
  }
}

class GdsfReference extends ListReference {
  readonly #weight: (facts: Facts) => number;
  readonly #went: { key: string; uses: number }[] = [];
  #age = 0;

  constructor(weight: (facts: Facts) => number) {
    super();
    this.#weight = weight;
  }

  override hit(key: string): void {
    super.hit(key);
    this.#rank(key);
  }

  override insert(key: string, facts: Facts): void {
    const known = this.#went.slice(-Math.max(512, this.list.length * 4)).findLast((each) => each.key === key);
    super.insert(key, facts);
    this.of(key).uses = (known?.uses ?? 0) + 1;
    this.#rank(key, known === undefined ? 0.25 : 1);
  }

  override evict(): string {
    const before = this.list;
    const key = super.evict();
    const { value, uses } = before.find((each) => each.key === key) as Kept;
    this.#age = value;
    this.#went.push({ key, uses: Math.min(255, uses) });
    return key;
  }

  compare(a: Kept, b: Kept): number {
    return a.value - b.value || a.lastUse - b.lastUse;
  }

  #rank(key: string, share = 1): void {
    const kept = this.of(key);
    kept.value = this.#age + share * kept.uses * (this.#weight(kept.facts) / kept.facts.bytes);
  }
}

export const REFERENCES = {
  lru: () => new LruReference(),
  fifo: () => new FifoReference(),
  lfu: () => new LfuReference(),
  ttl: () => new TtlReference(),
  size: () => new SizeReference(),
  sieve: () => new SieveReference(),
  s3fifo: () => new S3FifoReference(),
  wTinyLfu: () => new WTinyLfuReference(),
  "gdsf for money": () => new GdsfReference(({ cost }) => Math.max(cost, 1e-12)),
  "gdsf for time": () => new GdsfReference(({ tookMs }) => Math.max(tookMs, 1e-12)),
  "gdsf for hits": () => new GdsfReference(() => 1),
} satisfies Record<string, () => Reference>;
