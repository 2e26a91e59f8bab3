const DAY_MS = 86_400_000;

export type PeriodKind = "day" | "month";

/** One day or month of the calendar, UTC. Times are milliseconds since the Unix epoch. */
export interface Period {
  /** `2026-01-31` or `2026-01`. */
  readonly name: string;
  readonly startsAt: number;
  readonly endsAt: number;
}

export function periodAt(kind: PeriodKind, wall: number): Period {
  const date = new Date(wall);
  const iso = date.toISOString();
  if (kind === "day") {
    const startsAt = Math.floor(wall / DAY_MS) * DAY_MS;
    return { name: iso.slice(0, 10), startsAt, endsAt: startsAt + DAY_MS };
  }
  const [year, month] = [date.getUTCFullYear(), date.getUTCMonth()];
  return { name: iso.slice(0, 7), startsAt: Date.UTC(year, month, 1), endsAt: Date.UTC(year, month + 1, 1) };
}
