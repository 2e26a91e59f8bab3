import { knownKeys, numberIn, OptionError, oneOf } from "../../core/index.ts";
import type { PurseRank } from "./purse.ts";
import type { Purses } from "./purses.ts";

/** What one purse has spent. */
export interface PurseState {
  readonly rank: PurseRank;
  /** `global`, the client, the model, the one-way name of the credential, or `label=value`. */
  readonly name: string;
  /** Today, UTC: `2026-01-31`. */
  readonly day: string;
  readonly dayDollars: number;
  /** This month, UTC: `2026-01`. */
  readonly month: string;
  readonly monthDollars: number;
}

/** The state of a budget. Plain data: what was spent can be stored as JSON and restored. */
export interface BudgetSnapshot {
  /** Reserved for calls under way. */
  readonly heldDollars: number;
  readonly refused: number;
  /** Calls that passed though their model has no price. */
  readonly unpriced: number;
  /** The process first. Those that have spent nothing this month are left out. */
  readonly spent: readonly PurseState[];
}

const RANKS = ["global", "client", "label", "model", "credential"] as const;
const STATE_KEYS = ["rank", "name", "day", "dayDollars", "month", "monthDollars"] as const;
const DOLLARS_MAX = 1e12;

export function spentOf(purses: Purses, wall: number): PurseState[] {
  const states: PurseState[] = [];
  for (const purse of purses.all()) {
    purse.turn(wall);
    const { rank, name, day, month } = purse;
    if (rank !== "global" && month.spent === 0 && day.spent === 0) continue;
    states.push({
      rank,
      name,
      day: day.period.name,
      dayDollars: day.spent,
      month: month.period.name,
      monthDollars: month.spent,
    });
  }
  return states;
}

/** Adds what was spent before; that of another day or month is past. Throws `OptionError` and then changes nothing. */
export function restoreSpent(purses: Purses, spent: unknown, wall: number): void {
  for (const { rank, name, day, dayDollars, month, monthDollars } of readStates(spent)) {
    const purse = purses.get(rank, name, rank === "label" ? name.slice(0, name.indexOf("=") + 1) : "", wall);
    purse.turn(wall);
    if (purse.day.period.name === day) purse.day.spent += dayDollars;
    if (purse.month.period.name === month) purse.month.spent += monthDollars;
  }
}

function readStates(spent: unknown): PurseState[] {
  if (!Array.isArray(spent)) throw new OptionError("restore.spent", spent, "the list `spent` of a snapshot");
  return spent.map((given: unknown, index) => {
    const option = `restore.spent[${index}]`;
    const state = knownKeys(option, given, STATE_KEYS);
    const text = (key: string): string => {
      const value = state[key];
      if (typeof value === "string") return value;
      throw new OptionError(`${option}.${key}`, value, "text");
    };
    return {
      rank: oneOf(`${option}.rank`, state["rank"], RANKS),
      name: text("name"),
      day: text("day"),
      dayDollars: numberIn(`${option}.dayDollars`, state["dayDollars"], 0, DOLLARS_MAX),
      month: text("month"),
      monthDollars: numberIn(`${option}.monthDollars`, state["monthDollars"], 0, DOLLARS_MAX),
    };
  });
}
