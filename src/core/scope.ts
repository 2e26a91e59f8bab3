import {
  type CacheControlHeader,
  type CacheDirectives,
  type CacheMode,
  NO_DIRECTIVES,
  type ResolvedDirectives,
  resolveDirectives,
} from "./cache-directives.ts";
import { OptionError } from "./errors.ts";
import { type Duration, durationMs, knownKeys, textOf } from "./options.ts";

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
  /** Whose call it is: own rate limits, own cache entries. */
  readonly client?: string | undefined;
  /**
   * The feature or prompt template that the call belongs to, such as `"summarize"`: patterns of invalidation match it.
   * Calls of different routes have cache entries of their own.
   */
  readonly route?: string | undefined;
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
}

/** A scope that has been read: everything present and in milliseconds. */
export interface ResolvedScope {
  readonly priority: number;
  readonly client: string | undefined;
  readonly route: string | undefined;
  readonly tags: readonly string[];
  readonly ttlMs: number | undefined;
  readonly deadlineMs: number | undefined;
  readonly cache: CacheMode;
  readonly directives: ResolvedDirectives;
}

const TAGS_MAX = 32;
const SCOPE_KEYS = ["priority", "client", "route", "tags", "ttl", "deadline", "cache"] as const;

export const DEFAULT_SCOPE: ResolvedScope = {
  priority: PRIORITY_LEVELS.normal,
  client: undefined,
  route: undefined,
  tags: [],
  ttlMs: undefined,
  deadlineMs: undefined,
  cache: "default",
  directives: NO_DIRECTIVES,
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
  const { priority, client, route, tags, ttl, deadline, cache } = scope;
  return {
    priority: priority === undefined ? outer.priority : priorityLevel("scope.priority", priority),
    client: client === undefined ? outer.client : textOf("scope.client", client),
    route: route === undefined ? outer.route : textOf("scope.route", route),
    tags: tags === undefined ? outer.tags : tagList("scope.tags", tags),
    ttlMs: ttl === undefined ? outer.ttlMs : durationMs("scope.ttl", ttl, { min: 1 }),
    deadlineMs: deadline === undefined ? outer.deadlineMs : durationMs("scope.deadline", deadline, { min: 1 }),
    ...(cache === undefined
      ? { cache: outer.cache, directives: outer.directives }
      : resolveDirectives("scope.cache", cache, outer)),
  };
}

/** Reads a list of tags. Throws {@link OptionError}. */
export function tagList(option: string, value: unknown): readonly string[] {
  if (!Array.isArray(value) || value.length > TAGS_MAX)
    throw new OptionError(option, value, `an array of at most ${TAGS_MAX} tags`);
  return value.map((tag, index) => textOf(`${option}[${index}]`, tag, 128));
}
