import {
  type CacheControlHeader,
  type CacheDirectives,
  type CacheMode,
  NO_DIRECTIVES,
  type ResolvedDirectives,
  resolveDirectives,
} from "./cache-directives.ts";
import { OptionError } from "./errors.ts";
import { type Duration, durationMs, functionOf, knownKeys, textOf } from "./options.ts";

export type PriorityName = "critical" | "high" | "normal" | "low" | "background";

/** 0 (first) to 9 (last), as Bottleneck counts them, or a name: critical 1, high 3, normal 5, low 7, background 9. */
export type Priority = PriorityName | 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9;

export const PRIORITY_LEVELS: Readonly<Record<PriorityName, number>> = {
  critical: 1,
  high: 3,
  normal: 5,
  low: 7,
  background: 9,
};

/** What one call, or everything inside `optimizer.run`, wants. */
export interface Scope {
  /** Default `"normal"`. */
  readonly priority?: Priority | undefined;
  /** Whose call it is: own rate limits, own cache entries, a fair share of the pool. */
  readonly client?: string | undefined;
  /** Which of the pool's `partitions` it waits in; one that the pool does not have counts as none. */
  readonly partition?: string | undefined;
  /**
   * The feature or prompt template that the call belongs to, such as `"summarize"`: patterns of invalidation match it.
   * Calls of different routes have cache entries of their own.
   */
  readonly route?: string | undefined;
  /**
   * What else it belongs to, such as `{ team: "search" }`: limits and budgets may be set for each value of a label. At
   * most 8; one scope inside another adds to them and changes those it names. Not part of the cache key.
   */
  readonly labels?: Readonly<Record<string, string>> | undefined;
  /** Tags for the cache entry, for `invalidateTags`. At most 32. */
  readonly tags?: readonly string[] | undefined;
  /** Time to live of the cache entry; default the cache's own. */
  readonly ttl?: Duration | undefined;
  /** From the start of each call to the end of its answer; waiting included. */
  readonly deadline?: Duration | undefined;
  /**
   * How it uses the cache: a mode, directives, or a `Cache-Control` request header. One scope inside another changes what
   * it names.
   */
  readonly cache?: CacheMode | CacheDirectives | CacheControlHeader | undefined;
  /**
   * Allows a stream that fails in the middle to begin anew, where `retry.afterCommit` is `"restart"`: called right before
   * the first chunk of the new answer, so that what was shown can be taken back. Such a call shares no answer with others.
   */
  readonly onRestart?: ((restart: Restart) => void) | undefined;
}

/** A stream that begins anew. */
export interface Restart {
  /** Number of the try that gives the new answer. */
  readonly attempt: number;
  /** Chunks of content of the answer that is taken back. */
  readonly given: number;
}

/** A scope that has been read: everything present and in milliseconds. */
export interface ResolvedScope {
  readonly priority: number;
  readonly client: string | undefined;
  readonly partition: string | undefined;
  readonly route: string | undefined;
  readonly labels: Readonly<Record<string, string>>;
  readonly tags: readonly string[];
  readonly ttlMs: number | undefined;
  readonly deadlineMs: number | undefined;
  readonly cache: CacheMode;
  readonly directives: ResolvedDirectives;
  readonly onRestart: ((restart: Restart) => void) | undefined;
}

const TAGS_MAX = 32;
const LABELS_MAX = 8;
const SCOPE_KEYS = [
  "priority",
  "client",
  "partition",
  "route",
  "labels",
  "tags",
  "ttl",
  "deadline",
  "cache",
  "onRestart",
] as const;

export const DEFAULT_SCOPE: ResolvedScope = {
  priority: PRIORITY_LEVELS.normal,
  client: undefined,
  partition: undefined,
  route: undefined,
  labels: {},
  tags: [],
  ttlMs: undefined,
  deadlineMs: undefined,
  cache: "default",
  directives: NO_DIRECTIVES,
  onRestart: undefined,
};

/** Reads a priority into its number. Throws {@link OptionError}. */
export function priorityLevel(option: string, value: unknown): number {
  if (typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= 9) return value;
  if (typeof value === "string" && Object.hasOwn(PRIORITY_LEVELS, value)) return PRIORITY_LEVELS[value as PriorityName];
  throw new OptionError(
    option,
    value,
    `a whole number from 0 (first) to 9 (last) or one of ${Object.keys(PRIORITY_LEVELS).join(", ")}`,
  );
}

/** Reads a scope; what it leaves out comes from `outer`. Throws {@link OptionError}. */
export function resolveScope(scope: Scope, outer: ResolvedScope = DEFAULT_SCOPE): ResolvedScope {
  knownKeys("scope", scope, SCOPE_KEYS);
  const { priority, client, partition, route, labels, tags, ttl, deadline, cache, onRestart } = scope;
  return {
    priority: priority === undefined ? outer.priority : priorityLevel("scope.priority", priority),
    client: client === undefined ? outer.client : textOf("scope.client", client),
    partition: partition === undefined ? outer.partition : textOf("scope.partition", partition),
    route: route === undefined ? outer.route : textOf("scope.route", route),
    labels: labels === undefined ? outer.labels : labelsWithin("scope.labels", labels, outer.labels),
    tags: tags === undefined ? outer.tags : tagList("scope.tags", tags),
    ttlMs: ttl === undefined ? outer.ttlMs : durationMs("scope.ttl", ttl, { min: 1 }),
    deadlineMs: deadline === undefined ? outer.deadlineMs : durationMs("scope.deadline", deadline, { min: 1 }),
    ...(cache === undefined
      ? { cache: outer.cache, directives: outer.directives }
      : resolveDirectives("scope.cache", cache, outer)),
    onRestart: onRestart === undefined ? outer.onRestart : functionOf("scope.onRestart", onRestart),
  };
}

function labelsWithin(option: string, value: unknown, outer: Readonly<Record<string, string>>): Record<string, string> {
  const wrong = (): OptionError => new OptionError(option, value, `an object of at most ${LABELS_MAX} texts`);
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw wrong();
  const labels = { ...outer };
  for (const [name, text] of Object.entries(value)) {
    labels[textOf(`${option} (a name)`, name, 64)] = textOf(`${option}.${name}`, text, 128);
  }
  if (Object.keys(labels).length > LABELS_MAX) throw wrong();
  return labels;
}

/** Reads a list of tags. Throws {@link OptionError}. */
export function tagList(option: string, value: unknown): readonly string[] {
  if (!Array.isArray(value) || value.length > TAGS_MAX)
    throw new OptionError(option, value, `an array of at most ${TAGS_MAX} tags`);
  return value.map((tag, index) => tagOf(`${option}[${index}]`, tag));
}

// Stores keep text as UTF-8, and what begins with NUL is no tag there but the mark of a key.
function tagOf(option: string, value: unknown): string {
  const tag = textOf(option, value, 128);
  if (tag.isWellFormed() && !tag.startsWith("\u0000")) return tag;
  throw new OptionError(option, value, "text without lone surrogates that does not begin with NUL");
}
