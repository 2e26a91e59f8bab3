import { type Duration, durationMs, integerIn, knownKeys, numberIn, OptionError, type Timer } from "../core/index.ts";
import type { Optimizer } from "../optimizer.ts";
import { healthScore } from "./health-score.ts";
import { Counts, countsOf } from "./measures/index.ts";
import { recommend } from "./recommendations/index.ts";
import { type Slice, type Summary, summaryOf } from "./summary.ts";

export interface JournalOptions {
  /** Length of a slice of time, which is what stretches are made of. At least 1 minute. Default `"30m"`. */
  readonly every?: Duration;
  /** How far back it goes: at least two slices, at most 1,000. Default `"2d"`. */
  readonly keep?: Duration;
}

export const JOURNAL_DEFAULTS = { every: "30m", keep: "2d" } as const satisfies JournalOptions;

export interface SummaryOptions {
  /**
   * How long a stretch, in hours; it is compared with the stretch of that length before. Default 24, or what the journal
   * keeps where that is less, or a slice where that is more.
   */
  readonly hours?: number;
}

/** Remembers what a monitor counts, slice by slice, for longer than the hour that the monitor itself does. */
export interface Journal {
  /** The last hours, as far as the journal goes back, and whether they are worse than those before. Throws `OptionError`. */
  summary(options?: SummaryOptions): Summary;
  /** Slices that are kept, the one that is still running included. */
  readonly slices: number;
  /** Stops. What is kept can still be read. */
  close(): void;
}

const SLICES_MAX = 1_000;
const HOUR_MS = 3_600_000;

/**
 * Begins to keep what the monitor counts, by reading its totals once a slice: calls cost nothing more. It begins with what
 * comes from now on, and does not outlive the process; `summaryFromCalls` does. Throws `OptionError`.
 */
export function journal(optimizer: Pick<Optimizer, "line" | "monitor">, options: JournalOptions = {}): Journal {
  const { everyMs, most } = readOptions(options);
  const { clock } = optimizer.line.runtime;
  const kept: Slice[] = [];
  let counts = countsNow(optimizer);
  let from = clock.wall();
  let timer: Timer;

  const running = (): { slice: Slice; counts: Counts } => {
    const now = countsNow(optimizer);
    return { slice: { from, to: clock.wall(), counts: now.since(counts) }, counts: now };
  };
  const turn = (): void => {
    const { slice, counts: now } = running();
    kept.push(slice);
    if (kept.length > most) kept.shift();
    counts = now;
    from = slice.to;
    arm();
  };
  const arm = (): void => {
    timer = clock.background(everyMs, turn);
  };
  arm();

  return {
    summary(chosen = {}) {
      knownKeys("summary", chosen, ["hours"]);
      const [least, longest] = [everyMs / HOUR_MS, (most * everyMs) / HOUR_MS];
      const usual = Math.min(longest, Math.max(least, 24));
      const hours = numberIn("summary.hours", chosen.hours ?? usual, least, longest);
      const length = Math.max(1, Math.round((hours * HOUR_MS) / everyMs));
      const all = whole(kept, running().slice, everyMs);
      const start = Math.max(0, all.length - length);
      return {
        ...summaryOf(all.slice(start), all.slice(Math.max(0, start - length), start)),
        health: healthScore(optimizer),
        recommendations: recommend(optimizer),
      };
    },
    get slices() {
      return kept.length + 1;
    },
    close: () => timer.cancel(),
  };
}

// One that has hardly begun is no slice yet: in comparisons its few calls would weigh as much as all of another's.
function whole(kept: readonly Slice[], last: Slice, everyMs: number): Slice[] {
  const before = kept.at(-1);
  if (before === undefined || last.to - last.from >= everyMs / 2) return [...kept, last];
  const counts = new Counts();
  counts.merge(before.counts);
  counts.merge(last.counts);
  return [...kept.slice(0, -1), { from: before.from, to: last.to, counts }];
}

/** Everything that the monitor has counted. */
function countsNow({ monitor }: Pick<Optimizer, "monitor">): Counts {
  return countsOf(monitor.metrics());
}

function readOptions(options: JournalOptions): { everyMs: number; most: number } {
  knownKeys("journal", options, Object.keys(JOURNAL_DEFAULTS));
  const { every = JOURNAL_DEFAULTS.every, keep = JOURNAL_DEFAULTS.keep } = options;
  const everyMs = durationMs("journal.every", every, { min: 60_000 });
  const keepMs = durationMs("journal.keep", keep, { min: 2 * everyMs });
  const most = Math.ceil(keepMs / everyMs);
  if (most > SLICES_MAX) throw new OptionError("journal.keep", keep, `at most ${SLICES_MAX} times journal.every`);
  return { everyMs, most: integerIn("journal.keep", most, 2, SLICES_MAX) };
}
