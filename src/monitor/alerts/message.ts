import type { AlertFacts } from "../../core/index.ts";
import { AMPLIFICATION } from "../definitions.ts";
import { rounded } from "../numbers.ts";
import type { Labels } from "../series.ts";
import { type ActiveRule, type Alert, LEVELS } from "./rule.ts";
import { factsOf, type Tracked } from "./table.ts";

/** Alerts that a message lists; more are only counted. */
const LISTED_MAX = 100;

/** An alert as a message tells it, and the rule it is of. */
export interface Told {
  readonly rule: ActiveRule;
  readonly facts: AlertFacts;
}

export function toldOf(alert: Tracked): Told {
  return { rule: alert.rule, facts: factsOf(alert) };
}

/** A message about one or more alerts of a group. */
export function composeMessage(
  state: Alert["state"],
  told: readonly [Told, ...Told[]],
  { group, repeat, count = told.length }: { readonly group: string; readonly repeat: number; readonly count?: number },
): Alert {
  const [worst, ...rest] = told.toSorted((a, b) => severityOf(b) - severityOf(a)) as [Told, ...Told[]];
  const { rule, facts } = worst;
  const labels = rest.length === 0 ? facts.labels : commonLabels([worst, ...rest].map((one) => one.facts.labels));
  return {
    ...facts,
    labels,
    state,
    metric: rule.subject,
    message: textOf(rule, facts, state, count - 1),
    group,
    repeat,
    count,
    alerts: [worst, ...rest].slice(0, LISTED_MAX).map((one) => one.facts),
    runbook: rule.runbook,
  };
}

function severityOf({ facts }: Told): number {
  return LEVELS.indexOf(facts.level);
}

function commonLabels([first = {}, ...rest]: readonly Labels[]): Labels {
  return Object.fromEntries(
    Object.entries(first).filter(([key, value]) => rest.every((labels) => labels[key] === value)),
  );
}

function textOf(rule: ActiveRule, facts: AlertFacts, state: Alert["state"], others: number): string {
  const more = others > 0 ? `, and ${others} more` : "";
  const where = Object.entries(facts.labels).map(([key, text]) => `${key}=${text}`);
  const what = rule.message === undefined ? conditionText(rule, facts, state) : wordsOf(rule.message, state);
  return `${what}${where.length === 0 ? "" : ` (${where.join(", ")})`}${more}.`;
}

function wordsOf(message: string, state: Alert["state"]): string {
  return state === "firing" ? message : `Over: ${message}`;
}

function conditionText(rule: ActiveRule, { value, threshold }: AlertFacts, state: Alert["state"]): string {
  if (rule.kind === "event") {
    if (state === "resolved") return `${rule.event} is over`;
    return value === undefined ? rule.event : `${rule.event} with ${rule.value} ${rounded(value)}`;
  }
  const [{ query, per, limit }] = rule.conditions;
  const of = per === undefined ? query.metric : `${query.metric} to ${per.metric}`;
  const aggregate = per === undefined ? query.aggregate : "ratio";
  const isNow = aggregate === "value" || query.metric === AMPLIFICATION.name;
  const what = isNow ? query.metric : `${aggregate} of ${of}`;
  const is = value === undefined ? "has no data" : `is ${rounded(value)}`;
  const over = aggregate === "value" ? "" : ` over ${query.windowMs / 1000} s`;
  const bound = state === "resolved" && limit.baseline === undefined ? limit.clear : threshold;
  const words = state === "firing" ? limit.direction : `no longer ${limit.direction}`;
  return `${what} ${is}${over}, ${words}${bound === undefined ? "" : ` ${rounded(bound)}`}`;
}
