import type { Claim } from "../../src/core/index.ts";

interface Entry {
  readonly id: number;
  readonly level: number;
  readonly tenant: string;
  cost: number;
  readonly due: number;
  readonly since: number;
  readonly order: number;
  tenantState: Tenant;
}

interface Tenant {
  counter: number;
  joined: number;
  ratio: number;
}

/** The rules of the queue written down plainly, with a search through everybody for each question. */
export class ReferenceQueue {
  readonly #ageingMs: number;
  #waiting: Entry[] = [];
  #served = new Map<number, Entry>();
  #tenants = new Map<string, Tenant>();
  #pass: number[] = new Array(10).fill(0);
  #virtual: number[] = new Array(10).fill(0);
  #now = 0;
  #order = 0;

  constructor(ageingMs: number) {
    this.#ageingMs = ageingMs;
  }

  add(id: number, level: number, { tenant = "", cost = 1, due = 0, since = 0 }: Claim): void {
    if (this.#of(level).length === 0) this.#pass[level] = Math.max(this.#pass[level] ?? 0, this.#now);
    const key = `${level} ${tenant}`;
    const state = this.#tenants.get(key) ?? { counter: 0, joined: 0, ratio: 1 };
    this.#tenants.set(key, state);
    const order = this.#order++;
    if (!this.#of(level).some((entry) => entry.tenant === tenant)) {
      const others = this.#of(level).map((entry) => entry.tenantState.counter);
      const least = others.length === 0 ? 0 : Math.min(...others);
      state.counter = Math.max(state.counter, this.#virtual[level] ?? 0, least);
      state.joined = order;
    }
    this.#waiting.push({ id, level, tenant: tenant ?? "", cost: cost ?? 1, due, since, order, tenantState: state });
  }

  take(now: number): number | undefined {
    const levels = [...new Set(this.#waiting.map(({ level }) => level))].sort((a, b) => a - b);
    const time = (level: number): number => (this.#pass[level] ?? 0) + this.#stride(level, levels[0] ?? 0, now);
    const level = levels.reduce<number | undefined>(
      (best, one) => (best === undefined || time(one) < time(best) ? one : best),
      undefined,
    );
    if (level === undefined) return undefined;
    const next = this.#of(level).sort(
      (a, b) =>
        a.tenantState.counter - b.tenantState.counter ||
        a.tenantState.joined - b.tenantState.joined ||
        a.due - b.due ||
        a.order - b.order,
    )[0] as Entry;
    this.#now = time(level);
    this.#pass[level] = this.#now;
    const tenants = new Set(this.#of(level).map(({ tenant }) => tenant)).size;
    const before = next.tenantState.counter;
    next.cost *= next.tenantState.ratio;
    next.tenantState.counter += next.cost;
    const moved = Math.min((this.#virtual[level] ?? 0) + next.cost / tenants, before + next.cost);
    this.#virtual[level] = Math.max(before, moved);
    this.remove(next.id);
    this.#served.set(next.id, next);
    return next.id;
  }

  settle(id: number, cost: number): void {
    const entry = this.#served.get(id);
    if (entry === undefined) return;
    const { tenantState } = entry;
    tenantState.counter += cost - entry.cost;
    const seen = (cost / entry.cost) * tenantState.ratio;
    tenantState.ratio = Math.min(100, Math.max(0.01, tenantState.ratio + (seen - tenantState.ratio) * 0.1));
    entry.cost = cost;
  }

  remove(id: number): boolean {
    const before = this.#waiting.length;
    this.#waiting = this.#waiting.filter((entry) => entry.id !== id);
    return this.#waiting.length < before;
  }

  get ids(): number[] {
    return this.#waiting.map(({ id }) => id);
  }

  #of(level: number): Entry[] {
    return this.#waiting.filter((entry) => entry.level === level);
  }

  #stride(level: number, mostUrgent: number, now: number): number {
    const stride = (one: number): number => (one % 2 === 0 ? 65_536 : 92_688) * 2 ** Math.floor(one / 2);
    const oldest = this.#of(level).toSorted((a, b) => a.order - b.order)[0];
    if (oldest === undefined || this.#ageingMs === 0) return stride(level);
    const classesUp = Math.floor((now - oldest.since) / this.#ageingMs);
    return Math.min(stride(level), Math.max(stride(level) / 2 ** classesUp, stride(mostUrgent) * 2));
  }
}
