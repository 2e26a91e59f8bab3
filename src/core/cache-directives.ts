import { OptionError } from "./errors.ts";
import { type Duration, durationMs, integerIn, knownKeys, oneOf } from "./options.ts";

/**
 * How a call uses the cache:
 * `default` reads and writes; `refresh` asks the provider and replaces the entry; `no-store` reads and keeps nothing;
 * `bypass` neither reads nor writes; `only-if-cached` never asks the provider and is refused with `NotCachedError`
 * when no tier has the answer.
 */
export type CacheMode = "default" | "refresh" | "no-store" | "bypass" | "only-if-cached";

/**
 * What a call wants of the cache: the request directives of RFC 9111 section 5.2.1 and the extensions of RFC 5861.
 * What is left out is as the scope around it and then the cache's own options say.
 */
export interface CacheDirectives {
  /** `refresh` is `no-cache`. Default `"default"`. */
  readonly mode?: CacheMode | undefined;
  /** `max-age`: only an answer that is younger. */
  readonly maxAge?: Duration | undefined;
  /** `min-fresh`: only an answer that stays fresh for at least so long. */
  readonly minFresh?: Duration | undefined;
  /** `max-stale`: also an answer that has been stale for less than this, if it is still there. */
  readonly maxStale?: Duration | undefined;
  /** `stale-while-revalidate`; the cache's option of the same name. */
  readonly staleWhileRevalidate?: Duration | undefined;
  /** `stale-if-error`; the cache's option of the same name. */
  readonly staleIfError?: Duration | undefined;
  /** The cache's option of the same name. */
  readonly variants?: number | undefined;
}

/** The value of a `Cache-Control` request header, seconds as RFC 9111 has them: `"max-age=60, stale-if-error=300"`. */
export type CacheControlHeader = string & Record<never, never>;

/** Directives that have been read, times in milliseconds; `undefined` is as the cache's options say. */
export interface ResolvedDirectives {
  readonly maxAgeMs: number | undefined;
  readonly minFreshMs: number | undefined;
  readonly maxStaleMs: number | undefined;
  readonly staleWhileRevalidateMs: number | undefined;
  readonly staleIfErrorMs: number | undefined;
  readonly variants: number | undefined;
}

export const NO_DIRECTIVES: ResolvedDirectives = {
  maxAgeMs: undefined,
  minFreshMs: undefined,
  maxStaleMs: undefined,
  staleWhileRevalidateMs: undefined,
  staleIfErrorMs: undefined,
  variants: undefined,
};

/** Most answers to one question that are kept side by side. */
export const VARIANTS_MAX = 100;

const CACHE_MODES = ["default", "refresh", "no-store", "bypass", "only-if-cached"] as const;
const DIRECTIVE_KEYS = [
  "mode",
  "maxAge",
  "minFresh",
  "maxStale",
  "staleWhileRevalidate",
  "staleIfError",
  "variants",
] as const;

interface Resolved {
  readonly cache: CacheMode;
  readonly directives: ResolvedDirectives;
}

/** Reads a mode, directives or a header; what it leaves out comes from `outer`. Throws {@link OptionError}. */
export function resolveDirectives(option: string, value: unknown, outer: Resolved): Resolved {
  if (typeof value === "string") {
    if ((CACHE_MODES as readonly string[]).includes(value))
      return { cache: value as CacheMode, directives: outer.directives };
    return fromHeader(option, value, outer);
  }
  const given = knownKeys(option, value, DIRECTIVE_KEYS) as CacheDirectives;
  const within = outer.directives;
  const ms = (name: keyof CacheDirectives, otherwise: number | undefined): number | undefined =>
    given[name] === undefined ? otherwise : durationMs(`${option}.${name}`, given[name]);
  return {
    cache: given.mode === undefined ? outer.cache : oneOf(`${option}.mode`, given.mode, CACHE_MODES),
    directives: {
      maxAgeMs: ms("maxAge", within.maxAgeMs),
      minFreshMs: ms("minFresh", within.minFreshMs),
      maxStaleMs: ms("maxStale", within.maxStaleMs),
      staleWhileRevalidateMs: ms("staleWhileRevalidate", within.staleWhileRevalidateMs),
      staleIfErrorMs: ms("staleIfError", within.staleIfErrorMs),
      variants:
        given.variants === undefined
          ? within.variants
          : integerIn(`${option}.variants`, given.variants, 1, VARIANTS_MAX),
    },
  };
}

type Milliseconds = Exclude<keyof ResolvedDirectives, "variants">;

const WITH_SECONDS: Readonly<Record<string, Milliseconds>> = {
  "max-age": "maxAgeMs",
  "min-fresh": "minFreshMs",
  "max-stale": "maxStaleMs",
  "stale-while-revalidate": "staleWhileRevalidateMs",
  "stale-if-error": "staleIfErrorMs",
};
// An answer is the provider's own text: there is nothing that could transform it.
const WITHOUT_VALUE: ReadonlySet<string> = new Set(["no-cache", "no-store", "only-if-cached", "no-transform"]);

const ACCEPTED = `a mode (${CACHE_MODES.map((mode) => `"${mode}"`).join(", ")}), directives as an object, or a Cache-Control request header of ${[...Object.keys(WITH_SECONDS).map((name) => `${name}=<seconds>`), ...WITHOUT_VALUE].join(", ")}`;

const DIRECTIVE = /^([a-z-]+)(?:=(?:(\d+)|"(\d+)"))?$/i;
const ANY_STALENESS_MS = Number.MAX_SAFE_INTEGER;

function fromHeader(option: string, header: string, outer: Resolved): Resolved {
  const wrong = (): OptionError => new OptionError(option, header, ACCEPTED);
  const told = new Map<string, string | undefined>();
  for (const part of header.split(",")) {
    if (part.trim() === "") continue;
    const match = DIRECTIVE.exec(part.trim());
    const name = match?.[1]?.toLowerCase();
    if (match === null || name === undefined || told.has(name)) throw wrong();
    told.set(name, match[2] ?? match[3]);
  }
  if (told.size === 0) throw wrong();
  const times: Partial<Record<Milliseconds, number>> = {};
  for (const [name, seconds] of told) {
    const time = WITH_SECONDS[name];
    if (time === undefined ? seconds !== undefined || !WITHOUT_VALUE.has(name) : !hasItsTime(name, seconds)) {
      throw wrong();
    }
    if (time !== undefined) times[time] = seconds === undefined ? ANY_STALENESS_MS : Number(seconds) * 1000;
  }
  return { cache: modeOf(told, wrong) ?? outer.cache, directives: { ...outer.directives, ...times } };
}

// RFC 9111 section 5.2.1.2: `max-stale` alone is any staleness.
function hasItsTime(name: string, seconds: string | undefined): boolean {
  if (seconds === undefined) return name === "max-stale";
  return Number.isSafeInteger(Number(seconds) * 1000);
}

function modeOf(told: ReadonlyMap<string, unknown>, wrong: () => OptionError): CacheMode | undefined {
  const [noCache, noStore] = [told.has("no-cache"), told.has("no-store")];
  if (told.has("only-if-cached")) {
    if (noCache) throw wrong();
    return "only-if-cached";
  }
  if (noCache) return noStore ? "bypass" : "refresh";
  return noStore ? "no-store" : undefined;
}
