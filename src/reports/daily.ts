import {
  type Duration,
  durationMs,
  errorName,
  functionOf,
  integerIn,
  knownKeys,
  OptionError,
  type Timer,
} from "../core/index.ts";
import type { Optimizer } from "../optimizer.ts";
import { JOURNAL_DEFAULTS, type Journal, journal } from "./journal.ts";
import type { Summary } from "./summary.ts";

/** Takes a report. What it throws or rejects with is told as `report.failed`. */
export type ReportHandler = (summary: Summary) => unknown;

export interface DailyReportOptions {
  readonly handler: ReportHandler;
  /** Time of day in UTC, `"HH:MM"`. Default `"00:00"`. */
  readonly at?: string;
  /** How long a slice of the journal is: 3 minutes to a day. Default `"30m"`. */
  readonly every?: Duration;
}

export interface DailyReport {
  /** What it is made of. */
  readonly journal: Journal;
  /** When the next one is due, milliseconds since the Unix epoch. */
  readonly nextAt: number;
  /** Stops, and closes the journal. */
  close(): void;
}

const DAY_MS = 86_400_000;
const HOURS = 24;
/** By so much a timer may fire before its time. */
const EARLY_MS = 1_000;
const TIME = /^([01]\d|2[0-3]):([0-5]\d)$/;

/**
 * Each day hands the summary of the last 24 hours to `handler`, with what got worse against the day before. The timer keeps
 * no process alive, and a process that ends takes its counts along: `summaryFromCalls` reads them from a call log.
 *
 * Tells `report.ready` and `report.failed`. Throws `OptionError`.
 */
export function dailyReport(optimizer: Pick<Optimizer, "line" | "monitor">, options: DailyReportOptions): DailyReport {
  knownKeys("dailyReport", options, ["handler", "at", "every"]);
  const everyMs = durationMs("dailyReport.every", options.every ?? JOURNAL_DEFAULTS.every, {
    min: 180_000,
    max: DAY_MS,
  });
  const handler = functionOf("dailyReport.handler", options.handler);
  const offsetMs = readTime(options.at ?? "00:00");
  const { clock, events } = optimizer.line.runtime;
  const pages = journal(optimizer, { every: everyMs as Duration, keep: "2d" });
  let nextAt = 0;
  let timer: Timer;

  const failed = (error: unknown): void => {
    events.emit("report.failed", undefined, { error: errorName(error) });
  };
  const hand = (): void => {
    const now = clock.wall();
    if (now < nextAt - EARLY_MS) {
      // Somebody has set the wall clock back meanwhile.
      arm(now);
      return;
    }
    arm(Math.max(now, nextAt));
    try {
      const summary = pages.summary({ hours: HOURS });
      const { total, degradations } = summary;
      events.emit("report.ready", undefined, {
        from: summary.from,
        to: summary.to,
        calls: total.calls,
        degradations: degradations.length,
        score: summary.health?.score,
      });
      const taken = handler(summary);
      if (taken instanceof Promise) taken.catch(failed);
    } catch (error) {
      failed(error);
    }
  };
  // By the wall clock, again each day: days are as long as the operator's clock says.
  const arm = (from: number): void => {
    nextAt = Math.floor((from - offsetMs) / DAY_MS + 1) * DAY_MS + offsetMs;
    timer = clock.background(nextAt - clock.wall(), hand);
  };
  arm(clock.wall());
  return {
    journal: pages,
    get nextAt() {
      return nextAt;
    },
    close() {
      timer.cancel();
      pages.close();
    },
  };
}

function readTime(at: unknown): number {
  const match = typeof at === "string" ? TIME.exec(at) : null;
  if (match === null) throw new OptionError("dailyReport.at", at, 'a time of day in UTC such as "06:30"');
  const [hours, minutes] = [integerIn("dailyReport.at", Number(match[1]), 0, 23), Number(match[2])];
  return (hours * 60 + minutes) * 60_000;
}
