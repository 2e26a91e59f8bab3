import { cacheFindings } from "./cache-rules.ts";
import type { LintFacts } from "./facts.ts";
import { bySeverity, type Finding } from "./finding.ts";
import { loadFindings } from "./load-rules.ts";
import { type LintOptions, readLine } from "./reading.ts";
import { timeFindings } from "./time-rules.ts";

export type { LintFacts } from "./facts.ts";
export { type Finding, type FindingSeverity, formatFindings } from "./finding.ts";
export type { LintOptions } from "./reading.ts";

/**
 * Looks for options of `createOptimizer` that do not go together: each is right by itself, and together they do not do
 * what they look like. `facts` says what to expect of the work; rules that need a fact are silent without it.
 * Gives what it found, worst first; builds nothing.
 *
 * Throws `OptionError` for an option that is wrong by itself.
 */
export function lint(options: LintOptions = {}, facts: LintFacts = {}): Finding[] {
  const line = readLine(options, facts);
  const findings = [...timeFindings(line), ...loadFindings(line), ...cacheFindings(line)];
  return bySeverity(findings.filter((finding) => finding !== undefined));
}
