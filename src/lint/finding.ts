/** `error`: it cannot work as it stands; `warning`: it will not do what it looks like; `info`: it wastes something. */
export type FindingSeverity = "error" | "warning" | "info";

/** Two options, or an option and a fact, that do not go together. */
export interface Finding {
  /** Short and stable, such as `retries-outlast-deadline`. */
  readonly rule: string;
  readonly severity: FindingSeverity;
  /** The option to look at, such as `retry.attempts`. */
  readonly where: string;
  /** What is wrong, with its figures. */
  readonly message: string;
  /** What to change, and to what. */
  readonly change: string;
}

const ORDER: Readonly<Record<FindingSeverity, number>> = { error: 0, warning: 1, info: 2 };

/** Worst first. */
export function bySeverity(findings: readonly Finding[]): Finding[] {
  return findings.toSorted((one, other) => ORDER[one.severity] - ORDER[other.severity]);
}

/** Findings as text, worst first; an empty text for none. */
export function formatFindings(findings: readonly Finding[]): string {
  return bySeverity(findings)
    .map(({ rule, severity, where, message, change }) => `${severity}  ${where}: ${message}\n  ${change} (${rule})`)
    .join("\n");
}
