import type { Optimizer } from "../optimizer.ts";
import { formatAdvice } from "./format.ts";
import { listenTo } from "./listening.ts";
import { type AdvisorOptions, readAdvisorOptions } from "./options.ts";
import { type AdvisorReport, adviceOf } from "./report.ts";
import { Tally } from "./tally.ts";

/** Watches calls and says what could be better. */
export interface Advisor {
  report(): AdvisorReport;
  /** The report as a text table. */
  format(): string;
  /** Forgets everything, such as after a change. */
  reset(): void;
  /** Stops listening. What was found can still be read. */
  close(): void;
}

/**
 * Begins to watch the calls of `optimizer`, and the functions that its monitor measures. It keeps one-way names and sums,
 * never a word of a prompt. Throws `OptionError`.
 */
export function advisor(optimizer: Pick<Optimizer, "on" | "line" | "monitor">, options: AdvisorOptions = {}): Advisor {
  const settings = readAdvisorOptions(options);
  const { clock } = optimizer.line.runtime;
  let tally = new Tally(settings, clock.now());
  const stop = listenTo(optimizer, () => tally);
  const report = (): AdvisorReport => adviceOf(tally.counted(clock.now()), settings);
  return {
    report,
    format: () => formatAdvice(report()),
    reset: () => {
      tally = new Tally(settings, clock.now());
    },
    close: stop,
  };
}
