import { durationMs, functionOf, knownKeys, OptionError, oneOf, SEVERITIES, textOf } from "../../core/index.ts";
import { checkLabelKey } from "../metric.ts";
import type { LabelFilter } from "../reading.ts";
import type { Registry } from "../registry.ts";
import { readConditions } from "./read-condition.ts";
import { readEventLimit, readLevels } from "./read-limit.ts";
import {
  type ActiveEventRule,
  type ActiveMetricRule,
  type ActiveRule,
  ALERT_DEFAULTS,
  type AlertHandler,
  type AlertRule,
  type EventRule,
  type Limit,
  type MetricRule,
} from "./rule.ts";

const BASE_KEYS = [
  "id",
  "family",
  "level",
  "above",
  "keep",
  "cooldown",
  "labels",
  "groupBy",
  "inhibitedBy",
  "handlers",
  "runbook",
  "message",
] as const;
const METRIC_KEYS = [
  ...BASE_KEYS,
  "metric",
  "aggregate",
  "below",
  "clear",
  "for",
  "window",
  "minCount",
  "share",
  "per",
  "and",
  "noData",
] as const;
const EVENT_KEYS = [...BASE_KEYS, "event", "until", "value"] as const;
const NO_DATA = ["keep", "resolve", "fire"] as const;

/** Reads a rule. Throws {@link OptionError}. */
export function readRule(rule: AlertRule, registry: Registry): ActiveRule {
  return rule !== null && typeof rule === "object" && "event" in rule
    ? readEventRule(rule)
    : readMetricRule(rule as MetricRule, registry);
}

function readMetricRule(rule: MetricRule, registry: Registry): ActiveMetricRule {
  knownKeys("alert", rule, METRIC_KEYS);
  const conditions = readConditions(rule, registry);
  const [{ query, limit }] = conditions;
  const groupBy = query.groupBy ?? [];
  return {
    kind: "metric",
    conditions,
    forMs: durationMs("alert.for", rule.for ?? ALERT_DEFAULTS.for),
    noData: oneOf("alert.noData", rule.noData ?? ALERT_DEFAULTS.noData, NO_DATA),
    ...readBase(rule, {
      subject: query.metric,
      idParts: `${query.metric} ${query.aggregate} ${limitText(limit)}`,
      filters: [query.labels ?? {}, query.share ?? {}],
      groupBy,
      rank: limit.levels[0]?.rank ?? 1,
    }),
  };
}

function readEventRule(rule: EventRule): ActiveEventRule {
  knownKeys("alert", rule, EVENT_KEYS);
  const event = eventType("alert.event", rule.event);
  const value = rule.value === undefined ? undefined : textOf("alert.value", rule.value);
  const limit = readEventLimit(rule);
  if (limit !== undefined && value === undefined) {
    throw new OptionError("alert.value", value, "a field of the event with a number, which above is compared with");
  }
  const labels = readFields(rule.labels ?? {});
  const groupBy = readNames("alert.groupBy", rule.groupBy ?? []);
  return {
    kind: "event",
    event,
    until: rule.until === undefined ? undefined : eventType("alert.until", rule.until),
    labels,
    value,
    limit,
    ...readBase(rule, {
      subject: event,
      idParts: limit === undefined ? event : `${event} ${value} ${limitText(limit)}`,
      filters: [labels],
      groupBy,
      rank: limit?.levels[0]?.rank ?? readLevels({ level: rule.level }, 0)[0]?.rank ?? 1,
    }),
  };
}

interface Derived {
  readonly subject: string;
  readonly idParts: string;
  readonly filters: readonly LabelFilter[];
  readonly groupBy: readonly string[];
  readonly rank: number;
}

function readBase(rule: MetricRule | EventRule, { subject, idParts, filters, groupBy, rank }: Derived) {
  const id = rule.id === undefined ? idOf(idParts, filters, groupBy) : textOf("alert.id", rule.id);
  return {
    id,
    family: rule.family === undefined ? id : textOf("alert.family", rule.family),
    subject,
    rank,
    groupBy,
    keepMs: durationMs("alert.keep", rule.keep ?? ALERT_DEFAULTS.keep),
    cooldownMs: durationMs("alert.cooldown", rule.cooldown ?? ALERT_DEFAULTS.cooldown),
    inhibitedBy: readNames("alert.inhibitedBy", rule.inhibitedBy ?? []),
    handlers: readHandlers("alert.handlers", rule.handlers ?? []),
    runbook: rule.runbook === undefined ? undefined : textOf("alert.runbook", rule.runbook, 1_000),
    message: rule.message === undefined ? undefined : textOf("alert.message", rule.message, 1_000),
  };
}

export function readHandlers(option: string, handlers: readonly AlertHandler[]): readonly AlertHandler[] {
  if (!Array.isArray(handlers)) throw new OptionError(option, handlers, "an array of functions");
  return handlers.map((handler, index) => functionOf(`${option}[${index}]`, handler as AlertHandler));
}

function eventType(option: string, value: string): ActiveEventRule["event"] {
  const name = textOf(option, value);
  // An alert about an alert would call for itself.
  if (Object.hasOwn(SEVERITIES, name) && !/^alert(\.|$)/.test(name)) return name as ActiveEventRule["event"];
  throw new OptionError(option, value, "the type of an event, other than those of alerts");
}

function readNames(option: string, names: readonly string[]): readonly string[] {
  if (!Array.isArray(names)) throw new OptionError(option, names, "an array of names");
  return names.map((name, index) => textOf(`${option}[${index}]`, name));
}

function readFields(filter: LabelFilter): LabelFilter {
  const fields = Object.entries(knownKeys("alert.labels", filter, Object.keys(filter)));
  for (const [key, value] of fields) {
    checkLabelKey("alert.labels", key, undefined);
    for (const one of [value].flat()) textOf(`alert.labels.${key}`, one);
  }
  return { ...filter };
}

function limitText({ direction, levels, baseline }: Limit): string {
  const at = levels.map((level) => level.at).join("|");
  return `${direction} ${at}${baseline === undefined ? "" : ` times the median of ${baseline.spanMs / 3_600_000} h`}`;
}

function idOf(idParts: string, filters: readonly LabelFilter[], groupBy: readonly string[]): string {
  const parts = [idParts];
  for (const filter of filters) {
    const labels = Object.entries(filter).map(([key, value]) => `${key}=${[value].flat().join("|")}`);
    if (labels.length > 0) parts.push(`{${labels.join(",")}}`);
  }
  if (groupBy.length > 0) parts.push(`by ${groupBy.join(",")}`);
  return parts.join(" ");
}
