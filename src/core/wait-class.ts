import { IndexedHeap } from "./indexed-heap.ts";
import { TenantLine } from "./tenant-line.ts";
import { SERVED, type WaitEntry } from "./wait-entry.ts";

const TENANTS_SWEPT_FROM = 64;
// Of more tenants some are taken for all: an estimate is asked for with every call that waits.
const TENANTS_LOOKED_AT = 64;

/**
 * Those of one level. Tenants are served by the least counter, so that each has had the same of the service while it
 * waited; a tenant that comes back is raised to where the others are and cannot claim its past.
 *
 * Sheng et al., "Fairness in Serving Large Language Models" (OSDI 2024): the virtual token counter, with a charge by
 * expectation that is corrected when the true cost is known. How the common counter moves on is WF2Q+'s virtual time
 * (Bennett and Zhang, 1997), so that an endless row of new tenants cannot hold those before them.
 */
export class WaitClass<T> {
  readonly level: number;
  /** What one service adds to `pass`: the more urgent, the less. */
  readonly stride: number;
  /** Virtual time of the level's last service, or of its coming back; it is served next one stride later. */
  pass = 0;
  count = 0;
  readonly #lines = new Map<string, TenantLine<T>>();
  readonly #turns = new IndexedHeap<TenantLine<T>>(counterBefore, setTurnIndex);
  readonly #backlogs = new IndexedHeap<TenantLine<T>>(backlogBefore, setBacklogIndex);
  #oldest: WaitEntry<T> | undefined;
  #newest: WaitEntry<T> | undefined;
  #virtual = 0;
  #sweepAt = TENANTS_SWEPT_FROM;

  constructor(level: number, stride: number) {
    this.level = level;
    this.stride = stride;
  }

  get oldest(): WaitEntry<T> | undefined {
    return this.#oldest;
  }

  /** How many of one tenant wait. */
  countOf(tenant: string): number {
    return this.#lines.get(tenant)?.count ?? 0;
  }

  /** How many are served before a newcomer of `tenant`: of each tenant as many as of its own, if all cost the same. */
  aheadOf(tenant: string): number {
    const ownTurn = this.countOf(tenant) + 1;
    let [ahead, looked] = [0, 0];
    for (const line of this.#turns) {
      if (looked === TENANTS_LOOKED_AT) break;
      looked++;
      ahead += line.tenant === tenant ? line.count : Math.min(line.count, ownTurn);
    }
    return looked < TENANTS_LOOKED_AT ? ahead : Math.round((ahead * this.#turns.size) / looked);
  }

  lineOf(tenant: string): TenantLine<T> {
    let line = this.#lines.get(tenant);
    if (line === undefined) {
      if (this.#lines.size >= this.#sweepAt) this.#sweep();
      line = new TenantLine(tenant, this);
      this.#lines.set(tenant, line);
    }
    return line;
  }

  /** Who is next: the earliest due of the tenant whose turn it is, or with `newestFirst` the latest. */
  next(newestFirst: boolean): WaitEntry<T> | undefined {
    const line = this.#turns.first;
    return newestFirst ? line?.last : line?.first;
  }

  /** Who goes first when room must be made: the latest of the tenant that has most waiting. */
  get last(): WaitEntry<T> | undefined {
    return this.#backlogs.first?.last;
  }

  add(entry: WaitEntry<T>): void {
    const { line } = entry;
    line.add(entry);
    this.count++;
    entry.older = this.#newest;
    if (this.#newest === undefined) this.#oldest = entry;
    else this.#newest.newer = entry;
    this.#newest = entry;
    if (line.count === 1) {
      line.joined = entry.order;
      line.counter = Math.max(line.counter, this.#virtual, this.#turns.first?.counter ?? 0);
      this.#turns.push(line);
      this.#backlogs.push(line);
    } else {
      this.#backlogs.update(line.backlogIndex);
    }
  }

  remove(entry: WaitEntry<T>): void {
    const { line } = entry;
    line.remove(entry);
    this.count--;
    if (entry.older === undefined) this.#oldest = entry.newer;
    else entry.older.newer = entry.newer;
    if (entry.newer === undefined) this.#newest = entry.older;
    else entry.newer.older = entry.older;
    entry.older = undefined;
    entry.newer = undefined;
    if (line.count > 0) {
      this.#backlogs.update(line.backlogIndex);
      return;
    }
    this.#turns.remove(line.turnIndex);
    this.#backlogs.remove(line.backlogIndex);
  }

  /** Takes out an entry to be served. */
  serve(entry: WaitEntry<T>): void {
    const { line } = entry;
    const tenants = this.#turns.size;
    const before = line.counter;
    line.charge(entry);
    this.#virtual = Math.max(before, Math.min(this.#virtual + entry.cost / tenants, before + entry.cost));
    this.remove(entry);
    entry.place = SERVED;
    if (line.turnIndex >= 0) this.#turns.update(line.turnIndex);
  }

  /** Puts what an entry really cost in place of what its tenant was charged. */
  settle(entry: WaitEntry<T>, cost: number): void {
    const { line } = entry;
    line.settle(entry, cost);
    if (line.turnIndex >= 0) this.#turns.update(line.turnIndex);
  }

  *[Symbol.iterator](): Generator<T> {
    for (let entry = this.#oldest; entry !== undefined; entry = entry.newer) yield entry.item;
  }

  // A tenant that has had no more than the others and does not wait would begin where they are: it may be forgotten.
  #sweep(): void {
    for (const line of this.#lines.values()) {
      if (line.count === 0 && line.counter <= this.#virtual) this.#lines.delete(line.tenant);
    }
    this.#sweepAt = Math.max(TENANTS_SWEPT_FROM, 2 * this.#lines.size);
  }
}

function counterBefore<T>(a: TenantLine<T>, b: TenantLine<T>): boolean {
  return a.counter < b.counter || (a.counter === b.counter && a.joined < b.joined);
}

function backlogBefore<T>(a: TenantLine<T>, b: TenantLine<T>): boolean {
  return a.count > b.count;
}

function setTurnIndex<T>(line: TenantLine<T>, index: number): void {
  line.turnIndex = index;
}

function setBacklogIndex<T>(line: TenantLine<T>, index: number): void {
  line.backlogIndex = index;
}
