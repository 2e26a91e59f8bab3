import type { Comparison } from "../reports/measures/index.ts";
import type { LineOptionName } from "../reports/recommendations/index.ts";
import type { TunableKind } from "./kinds.ts";

/** One change and what became of it. */
export interface TuningEntry {
  readonly kind: TunableKind;
  readonly option: LineOptionName;
  /** Absent where the option was off. */
  readonly from: number | undefined;
  readonly to: number;
  /** Milliseconds since the Unix epoch. */
  readonly appliedAt: number;
  /** `superseded`: somebody else changed the option meanwhile, and has the say. */
  readonly state: "watching" | "kept" | "rolled_back" | "superseded";
  readonly endedAt: number | undefined;
  /** Why it was kept or rolled back. */
  readonly reason: string | undefined;
  /** What was compared at the end. */
  readonly comparisons: readonly Comparison[];
}

const ENTRIES_MAX = 100;

/** The latest changes. */
export class TuningHistory {
  #entries: TuningEntry[] = [];

  add(entry: TuningEntry): void {
    this.#entries.push(entry);
    if (this.#entries.length > ENTRIES_MAX) this.#entries.shift();
  }

  /** Says what became of the latest. */
  end(change: Pick<TuningEntry, "state" | "endedAt" | "reason" | "comparisons">): void {
    const last = this.#entries.pop();
    if (last !== undefined) this.#entries.push({ ...last, ...change });
  }

  list(): readonly TuningEntry[] {
    return [...this.#entries];
  }
}
