import { type Duration, oneOf } from "./core/index.ts";

/**
 * Named bundles of defaults. `production` (the same as `balanced`) is the default. The values only bound what can go
 * wrong; limits of your own account (requests and tokens a minute) are never part of a profile.
 */
export const PROFILE_NAMES = [
  "production",
  "development",
  "test",
  "interactive",
  "batch",
  "high-volume",
  "cpu-intensive",
  "io-intensive",
  "balanced",
] as const;

export type ProfileName = (typeof PROFILE_NAMES)[number];

/** What a profile sets; every value can be overridden in `createOptimizer`. */
export interface Profile {
  readonly cache: { readonly ttl: Duration };
  readonly pool: { readonly concurrency: number; readonly maxQueue: number };
  readonly throttle: { readonly initial: number; readonly max: number };
  readonly breaker: { readonly failureRate: number; readonly minimumCalls: number; readonly halfOpenAfter: Duration };
  /** `attempts` counts every try, the first included. */
  readonly retry: { readonly attempts: number; readonly baseDelay: Duration; readonly maxDelay: Duration };
  readonly timeout: {
    readonly total: Duration;
    readonly attempt: Duration;
    readonly firstToken: Duration;
    readonly idle: Duration;
  };
}

// Timeouts are as patient as the OpenAI SDK's ten minutes: a reasoning model may think for minutes before its first
// token, and giving up on it pays for the thinking twice.
const production: Profile = {
  cache: { ttl: "1h" },
  pool: { concurrency: 64, maxQueue: 10_000 },
  throttle: { initial: 64, max: 1000 },
  breaker: { failureRate: 0.5, minimumCalls: 10, halfOpenAfter: "1s" },
  retry: { attempts: 4, baseDelay: "500ms", maxDelay: "8s" },
  timeout: { total: "15m", attempt: "10m", firstToken: "2m", idle: "60s" },
};

export const PROFILES: Readonly<Record<ProfileName, Profile>> = {
  production,
  balanced: production,
  // The same prompts again and again while one works on something else: keep answers for a day, fail soon.
  development: {
    ...production,
    cache: { ttl: "1d" },
    pool: { concurrency: 8, maxQueue: 1000 },
    throttle: { initial: 8, max: 64 },
    retry: { attempts: 2, baseDelay: "500ms", maxDelay: "4s" },
    timeout: { total: "5m", attempt: "5m", firstToken: "2m", idle: "60s" },
  },
  // A test wants the first failure, not the fourth.
  test: {
    ...production,
    cache: { ttl: "5m" },
    pool: { concurrency: 8, maxQueue: 100 },
    throttle: { initial: 8, max: 64 },
    retry: { attempts: 1, baseDelay: "100ms", maxDelay: "1s" },
    timeout: { total: "30s", attempt: "20s", firstToken: "10s", idle: "10s" },
  },
  // Somebody is looking at the screen.
  interactive: {
    ...production,
    pool: { concurrency: 64, maxQueue: 500 },
    breaker: { failureRate: 0.5, minimumCalls: 10, halfOpenAfter: "1s" },
    retry: { attempts: 3, baseDelay: "250ms", maxDelay: "2s" },
    timeout: { total: "60s", attempt: "45s", firstToken: "15s", idle: "10s" },
  },
  // Nobody is looking: finish everything tonight, however long one call takes.
  batch: {
    cache: { ttl: "7d" },
    pool: { concurrency: 128, maxQueue: 1_000_000 },
    throttle: { initial: 64, max: 1000 },
    breaker: { failureRate: 0.5, minimumCalls: 20, halfOpenAfter: "5s" },
    retry: { attempts: 8, baseDelay: "1s", maxDelay: "60s" },
    timeout: { total: "1d", attempt: "15m", firstToken: "5m", idle: "2m" },
  },
  "high-volume": {
    ...production,
    pool: { concurrency: 512, maxQueue: 100_000 },
    throttle: { initial: 128, max: 4000 },
    breaker: { failureRate: 0.3, minimumCalls: 50, halfOpenAfter: "1s" },
    retry: { attempts: 3, baseDelay: "500ms", maxDelay: "8s" },
  },
  // The process works hard on what comes back: few calls at a time.
  "cpu-intensive": {
    ...production,
    pool: { concurrency: 16, maxQueue: 10_000 },
    throttle: { initial: 16, max: 64 },
  },
  // The process mostly waits: many calls at a time.
  "io-intensive": {
    ...production,
    pool: { concurrency: 256, maxQueue: 50_000 },
    throttle: { initial: 128, max: 2000 },
  },
};

/** Reads the name of a profile. Throws `OptionError`. */
export function profileNamed(option: string, name: unknown): ProfileName {
  return oneOf(option, name, PROFILE_NAMES);
}
