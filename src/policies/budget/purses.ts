import type { Call } from "../../core/index.ts";
import type { BudgetLimits, BudgetSettings } from "./options.ts";
import { Purse, type PurseRank } from "./purse.ts";

const PURSES_MAX = 20_000;
const LOOKED_AT_MAX = 64;
const NO_LIMITS: BudgetLimits = {};

/**
 * The purses of one budget. Bounded: those that have spent nothing this month make room; when there is none,
 * newcomers of a rank share one purse, whose name is empty.
 */
export class Purses {
  readonly global: Purse;
  readonly #others = new Map<string, Purse>();
  #settings: BudgetSettings;

  constructor(settings: BudgetSettings, wall: number) {
    this.#settings = settings;
    this.global = new Purse("global", "global", settings.limits, wall);
  }

  configure(settings: BudgetSettings): void {
    this.#settings = settings;
    for (const purse of this.all()) purse.limits = this.#limitsOf(purse.rank, purse.name);
  }

  /** Those that a call is paid from. */
  of({ model, credential, scope: { client, labels } }: Call, wall: number): Purse[] {
    const { perClient, perModel, perCredential, perLabel } = this.#settings;
    const purses = [this.global];
    if (perClient !== undefined && client !== undefined) purses.push(this.get("client", client, "", wall));
    if (perModel !== undefined) purses.push(this.get("model", model, "", wall));
    if (perCredential !== undefined) purses.push(this.get("credential", credential, "", wall));
    for (const [label] of perLabel) {
      if (Object.hasOwn(labels, label)) purses.push(this.get("label", `${label}=${labels[label]}`, `${label}=`, wall));
    }
    return purses;
  }

  get(rank: PurseRank, name: string, shared: string, wall: number): Purse {
    if (rank === "global") return this.global;
    const purse = this.#others.get(`${rank}/${name}`);
    if (purse !== undefined) return purse;
    if (this.#others.size < PURSES_MAX || this.#forgetOne(wall)) return this.#add(rank, name, wall);
    return this.#others.get(`${rank}/${shared}`) ?? this.#add(rank, shared, wall);
  }

  *all(): Generator<Purse> {
    yield this.global;
    yield* this.#others.values();
  }

  #add(rank: PurseRank, name: string, wall: number): Purse {
    const purse = new Purse(rank, name, this.#limitsOf(rank, name), wall);
    this.#others.set(`${rank}/${name}`, purse);
    return purse;
  }

  // Those still in use go to the back, so that the next search begins behind them.
  #forgetOne(wall: number): boolean {
    let looked = 0;
    for (const [key, purse] of this.#others) {
      if (looked++ === LOOKED_AT_MAX) break;
      this.#others.delete(key);
      if (purse.isIdle(wall)) return true;
      this.#others.set(key, purse);
    }
    return false;
  }

  #limitsOf(rank: PurseRank, name: string): BudgetLimits {
    const { limits, perClient, perModel, perCredential, perLabel } = this.#settings;
    if (rank === "global") return limits;
    if (rank === "client") return perClient ?? NO_LIMITS;
    if (rank === "model") return perModel ?? NO_LIMITS;
    if (rank === "credential") return perCredential ?? NO_LIMITS;
    return perLabel.get(name.slice(0, name.indexOf("="))) ?? NO_LIMITS;
  }
}
