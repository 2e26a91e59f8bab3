import type { CacheMode, Entry, ResolvedDirectives } from "../../core/index.ts";
import type { CacheSettings } from "./options.ts";

/** How old or stale an answer may be that a call takes; milliseconds. */
export interface Limits {
  /** It must be younger than this. */
  readonly ageMs: number;
  /** It must stay fresh for longer than this; below 0, it may have been stale for less than so long. */
  readonly leftMs: number;
  /** It must have been made after this time, milliseconds since the Unix epoch. */
  readonly after: number;
  /** How long after it went stale it is given while another is asked for: RFC 5861 section 3. */
  readonly revalidateMs: number;
  /** How long after it went stale it is given when asking for another fails: RFC 5861 section 4. */
  readonly errorMs: number;
}

type Grace = Pick<CacheSettings, "staleWhileRevalidateMs" | "staleIfErrorMs">;

/** What a call in `mode` with `directives` takes from a cache with `grace`. */
export function limitsOf(mode: CacheMode, directives: ResolvedDirectives, grace: Grace): Limits {
  const { maxAgeMs, minFreshMs, maxStaleMs } = directives;
  // Only a call whose answer may be asked for and kept can have its entry replaced behind it.
  const revalidateMs = mode === "default" ? (directives.staleWhileRevalidateMs ?? grace.staleWhileRevalidateMs) : 0;
  const asks = mode === "default" || mode === "no-store";
  return {
    ageMs: maxAgeMs ?? Number.POSITIVE_INFINITY,
    leftMs: minFreshMs ?? -Math.max(maxStaleMs ?? 0, revalidateMs),
    after: Number.NEGATIVE_INFINITY,
    revalidateMs,
    errorMs: asks ? (directives.staleIfErrorMs ?? grace.staleIfErrorMs) : 0,
  };
}

/** What is taken when asking has failed: RFC 5861 section 4, "regardless of other freshness information". */
export function limitsAfterError({ errorMs }: Limits): Limits {
  return {
    ageMs: Number.POSITIVE_INFINITY,
    leftMs: -errorMs,
    after: Number.NEGATIVE_INFINITY,
    revalidateMs: 0,
    errorMs: 0,
  };
}

/** What makes it needless to replace `entry`: a fresh answer that came later. */
export function limitsAfter({ createdAt }: Entry): Limits {
  return { ageMs: Number.POSITIVE_INFINITY, leftMs: 0, after: createdAt, revalidateMs: 0, errorMs: 0 };
}

/** Whether `entry` is within `limits` at the time `now`, milliseconds since the Unix epoch. */
export function isWithin({ ageMs, leftMs, after }: Limits, { createdAt, freshUntil }: Entry, now: number): boolean {
  return freshUntil - now > leftMs && now - createdAt < ageMs && createdAt > after;
}

/** `ttlMs` shortened by a random share of up to `jitter`, so that what was kept together does not expire together. */
export function jittered(ttlMs: number, jitter: number, random: () => number): number {
  return jitter === 0 ? ttlMs : Math.max(1, Math.floor(ttlMs * (1 - jitter * random())));
}

/**
 * Whether to ask for a new answer already now, `leftMs` before the old one is stale, when asking took `tookMs` the last
 * time: XFetch, from Vattani, Chierichetti and Lowenstein, "Optimal Probabilistic Cache Stampede Prevention", VLDB 2015.
 */
export function refreshesEarly(beta: number, tookMs: number, leftMs: number, random: () => number): boolean {
  return beta > 0 && -beta * tookMs * Math.log(random()) >= leftMs;
}
