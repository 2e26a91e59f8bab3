import {
  booleanOf,
  type Duration,
  durationMs,
  integerIn,
  knownKeys,
  numberIn,
  OptionError,
  oneOf,
  textOf,
} from "../core/index.ts";
import type { SqlValue } from "../sqlite/index.ts";
import { CALL_OUTCOMES, type CallOutcome, type CallRow, TABLE } from "./row.ts";

/** Which calls: those that fulfil all that is given. A list means any of its values. */
export interface CallFilter {
  readonly op?: string | readonly string[] | undefined;
  readonly provider?: string | readonly string[] | undefined;
  readonly model?: string | readonly string[] | undefined;
  readonly responseModel?: string | readonly string[] | undefined;
  readonly route?: string | readonly string[] | undefined;
  readonly client?: string | readonly string[] | undefined;
  readonly outcome?: CallOutcome | readonly CallOutcome[] | undefined;
  readonly errorType?: string | readonly string[] | undefined;
  readonly servedBy?: string | readonly string[] | undefined;
  readonly template?: string | readonly string[] | undefined;
  readonly stream?: boolean | undefined;
  /** Begun at or after; milliseconds since the Unix epoch. */
  readonly from?: number | Date | undefined;
  /** Begun before. */
  readonly to?: number | Date | undefined;
  /** Took at least so long. */
  readonly minDuration?: Duration | undefined;
  /** Cost at least so many US dollars. */
  readonly minCost?: number | undefined;
}

export interface CallQuery extends CallFilter {
  /** From 1. Default 1. */
  readonly page?: number | undefined;
  /** 1 to 1,000. Default 50. */
  readonly perPage?: number | undefined;
  /** What comes first: a field, greatest first with `-`. Default `"-startedAt"`. */
  readonly sort?: CallSort | undefined;
}

const SORT_FIELDS = [
  "startedAt",
  "durationMs",
  "cost",
  "inputTokens",
  "outputTokens",
  "attempts",
  "ttfcMs",
] as const satisfies (keyof CallRow)[];
type SortField = (typeof SORT_FIELDS)[number];
export type CallSort = SortField | `-${SortField}`;

/** One page of the log. */
export interface CallPage {
  readonly rows: readonly CallRow[];
  /** Calls that fulfil the filter. */
  readonly total: number;
  readonly totalPages: number;
  readonly page: number;
  readonly perPage: number;
  readonly hasNext: boolean;
  readonly hasPrev: boolean;
}

export const QUERY_DEFAULTS = { page: 1, perPage: 50, sort: "-startedAt" } as const;

const PER_PAGE_MAX = 1_000;
const VALUES_MAX = 100;
const TEXT_FIELDS = [
  "op",
  "provider",
  "model",
  "responseModel",
  "route",
  "client",
  "outcome",
  "errorType",
  "servedBy",
  "template",
] as const;
const FILTER_KEYS = [...TEXT_FIELDS, "stream", "from", "to", "minDuration", "minCost"];
const QUERY_KEYS = [...FILTER_KEYS, ...Object.keys(QUERY_DEFAULTS)];
const SORTS: readonly CallSort[] = SORT_FIELDS.flatMap((field) => [field, `-${field}`] as const);

/** A condition, and the values of its places. */
export interface Condition {
  readonly sql: string;
  readonly values: readonly SqlValue[];
}

/** A page to read. */
export interface PageRequest {
  readonly condition: Condition;
  readonly page: number;
  readonly perPage: number;
  readonly sort: CallSort;
}

/** Throws `OptionError`. */
export function readFilter(filter: CallFilter): Condition {
  knownKeys("calls", filter, FILTER_KEYS);
  return conditionOf(filter);
}

/** Throws `OptionError`. */
export function readQuery(query: CallQuery): PageRequest {
  knownKeys("calls", query, QUERY_KEYS);
  return {
    condition: conditionOf(query),
    page: integerIn("calls.page", query.page ?? QUERY_DEFAULTS.page, 1, 1_000_000_000),
    perPage: integerIn("calls.perPage", query.perPage ?? QUERY_DEFAULTS.perPage, 1, PER_PAGE_MAX),
    sort: oneOf("calls.sort", query.sort ?? QUERY_DEFAULTS.sort, SORTS),
  };
}

/** The statement for the rows of a page: ids are found in an index alone, and whole rows read only of those. */
export function pageSql({ condition, page, perPage, sort }: PageRequest): Condition {
  const field = sort.replace("-", "");
  const order = sort.startsWith("-") ? "DESC" : "ASC";
  const ordered = `ORDER BY ${field} ${order}, id ${order}`;
  const ids = `SELECT id FROM ${TABLE} WHERE ${condition.sql} ${ordered} LIMIT ? OFFSET ?`;
  return {
    sql: `SELECT * FROM ${TABLE} WHERE id IN (${ids}) ${ordered}`,
    values: [...condition.values, perPage, (page - 1) * perPage],
  };
}

export function countSql({ sql, values }: Condition): Condition {
  return { sql: `SELECT count(*) AS total FROM ${TABLE} WHERE ${sql}`, values };
}

export function pageOf({ page, perPage }: PageRequest, rows: readonly CallRow[], total: number): CallPage {
  const totalPages = Math.ceil(total / perPage);
  return { rows, total, totalPages, page, perPage, hasNext: page < totalPages, hasPrev: page > 1 };
}

function conditionOf(filter: CallFilter): Condition {
  const terms: string[] = [];
  const values: SqlValue[] = [];
  const add = (term: string, ...given: SqlValue[]): void => {
    terms.push(term);
    values.push(...given);
  };
  for (const field of TEXT_FIELDS) {
    const wanted = filter[field];
    if (wanted === undefined) continue;
    const texts = textsOf(`calls.${field}`, wanted, field === "outcome" ? CALL_OUTCOMES : undefined);
    add(`${field} IN (${texts.map(() => "?").join(", ")})`, ...texts);
  }
  const { stream, from, to, minDuration, minCost } = filter;
  if (stream !== undefined) add("stream = ?", booleanOf("calls.stream", stream) ? 1 : 0);
  if (from !== undefined) add("startedAt >= ?", timeOf("calls.from", from));
  if (to !== undefined) add("startedAt < ?", timeOf("calls.to", to));
  if (minDuration !== undefined) add("durationMs >= ?", durationMs("calls.minDuration", minDuration));
  if (minCost !== undefined) add("cost >= ?", numberIn("calls.minCost", minCost, 0, Number.MAX_SAFE_INTEGER));
  return { sql: terms.length === 0 ? "1" : terms.join(" AND "), values };
}

function textsOf(option: string, value: unknown, accepted: readonly string[] | undefined): string[] {
  const texts = Array.isArray(value) ? value : [value];
  if (texts.length === 0 || texts.length > VALUES_MAX) {
    throw new OptionError(option, value, `a text, or an array of 1 to ${VALUES_MAX}`);
  }
  return texts.map((text) => (accepted === undefined ? textOf(option, text) : oneOf(option, text, accepted)));
}

function timeOf(option: string, value: unknown): number {
  const time = value instanceof Date ? value.getTime() : value;
  if (typeof time === "number" && Number.isFinite(time)) return time;
  throw new OptionError(option, value, "a Date, or milliseconds since the Unix epoch");
}
