import type { AccountBalance } from "../../core/index.ts";
import type { CircuitSnapshot } from "../../policies/breaker/index.ts";
import type { PoolSnapshot } from "../../policies/pool/index.ts";
import type { RateLimitSnapshot } from "../../policies/rate-limit/index.ts";
import type { TargetSnapshot } from "../../policies/throttle/index.ts";
import { policyOf, type World } from "./world.ts";

/** Tells what is wrong, or nothing. */
export type Report = (rule: string, detail: string) => void;

interface Snapshots<T> {
  snapshot(): T;
}

// Amounts of the ledger are sums of fractions.
const TOLERANCE = 1e-6;

/** What must hold at every moment. One object a run: some rules compare with the moment before. */
export class StateChecks {
  readonly #world: World;
  readonly #report: Report;
  readonly #pool: Snapshots<PoolSnapshot> | undefined;
  readonly #throttle: Snapshots<Record<string, TargetSnapshot>> | undefined;
  readonly #breaker: Snapshots<Record<string, CircuitSnapshot>> | undefined;
  readonly #hedges: boolean;
  readonly #before = new Map<string, { readonly value: number; readonly bound: number }>();

  constructor(world: World, report: Report) {
    this.#world = world;
    this.#report = report;
    this.#pool = policyOf(world, "pool");
    this.#throttle = policyOf(world, "throttle");
    this.#breaker = policyOf(world, "breaker");
    this.#hedges = policyOf(world, "hedge") !== undefined;
  }

  check(): void {
    checkConservation(this.#world.optimizer.ledger(), this.#report);
    this.#checkPool();
    for (const [key, { limit, inFlight, waiting }] of Object.entries(this.#throttle?.snapshot() ?? {})) {
      this.#bounded("throttle", `permits of ${key}`, inFlight, Math.floor(limit));
      if (waiting < 0) this.#report("throttle", `${waiting} wait for ${key}`);
    }
    for (const [key, { failureRate, slowCallRate, outstanding }] of Object.entries(this.#breaker?.snapshot() ?? {})) {
      const sound = inUnit(failureRate) && inUnit(slowCallRate) && outstanding >= 0;
      if (!sound)
        this.#report("breaker", `${key}: failures ${failureRate}, slow ${slowCallRate}, under way ${outstanding}`);
    }
  }

  #checkPool(): void {
    const pool = this.#pool?.snapshot();
    if (pool === undefined) return;
    this.#bounded("pool", "slots", pool.running, pool.concurrency);
    // Who comes back for a slot is let in.
    this.#bounded("pool", "queue", pool.queued, pool.maxQueue + pool.away);
    const { inFlight } = this.#world.provider.stats();
    const most = pool.running * (this.#hedges ? 2 : 1);
    if (inFlight > most) this.#report("pool", `${inFlight} requests at the provider with ${pool.running} slots taken`);
  }

  // A bound that was lowered, be it within this step, is kept by letting nobody in, not by throwing out.
  #bounded(rule: string, what: string, value: number, bound: number): void {
    const before = this.#before.get(what) ?? { value: 0, bound };
    this.#before.set(what, { value, bound });
    const most = Math.max(bound, before.value, before.bound);
    if (value < 0 || value > most) this.#report(rule, `${what}: ${value} of ${most}`);
  }
}

function checkConservation(ledger: Readonly<Record<string, AccountBalance>>, report: Report): void {
  for (const [resource, balance] of Object.entries(ledger)) {
    const { reserved, settled, refunded, inFlight } = balance;
    const scale = TOLERANCE * Math.max(1, reserved);
    const least = Math.min(reserved, settled, refunded, inFlight);
    if (least < -scale || Math.abs(reserved - settled - refunded - inFlight) > scale) {
      report("conservation", `${resource}: ${JSON.stringify(balance)}`);
    }
  }
}

function inUnit(rate: number): boolean {
  return rate >= 0 && rate <= 1;
}

/** What must be so when nobody waits any more and nothing runs. */
export function checkIdle(world: World, report: Report): void {
  for (const [resource, { inFlight }] of Object.entries(world.optimizer.ledger())) {
    if (Math.abs(inFlight) > TOLERANCE) report("leak", `${resource}: ${inFlight} still in flight`);
  }
  const pool = policyOf<Snapshots<PoolSnapshot>>(world, "pool")?.snapshot();
  if (pool !== undefined && pool.running + pool.queued + pool.away > 0) {
    report("leak", `pool: ${pool.running} running, ${pool.queued} waiting, ${pool.away} away`);
  }
  for (const [key, target] of Object.entries(
    policyOf<Snapshots<Record<string, TargetSnapshot>>>(world, "throttle")?.snapshot() ?? {},
  )) {
    if (target.inFlight + target.waiting > 0) report("leak", `throttle of ${key}: ${JSON.stringify(target)}`);
  }
  for (const [key, circuit] of Object.entries(
    policyOf<Snapshots<Record<string, CircuitSnapshot>>>(world, "breaker")?.snapshot() ?? {},
  )) {
    if (circuit.outstanding > 0) report("leak", `breaker of ${key}: ${circuit.outstanding} under way`);
  }
  const waiting = policyOf<Snapshots<RateLimitSnapshot>>(world, "rateLimit")?.snapshot().waiting ?? 0;
  if (waiting > 0) report("leak", `rateLimit: ${waiting} waiting`);
  for (const name of ["timeout", "deadline"]) {
    const running = policyOf<Snapshots<{ running: number }>>(world, name)?.snapshot().running ?? 0;
    if (running > 0) report("leak", `${name}: ${running} running`);
  }
  const { inFlight } = world.provider.stats();
  if (inFlight > 0) report("leak", `the provider works on ${inFlight} requests that nobody waits for`);
}
