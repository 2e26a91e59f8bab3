import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { PROFILE_NAMES } from "../../src/index.ts";
import { formatFindings, type LintFacts, type LintOptions, lint } from "../../src/lint/index.ts";

const ENVIRONMENT = {};
const FACTS: LintFacts = { memory: "4gb" };

function rulesOf(options: LintOptions, facts: LintFacts): string[] {
  return lint({ environment: ENVIRONMENT, ...options }, { ...FACTS, ...facts }).map(({ rule }) => rule);
}

interface Case {
  readonly rule: string;
  readonly where: string;
  readonly bad: LintOptions;
  readonly good: LintOptions;
  readonly facts?: LintFacts;
  /** For rules that depend on a fact alone. */
  readonly goodFacts?: LintFacts;
}

const CASES: readonly Case[] = [
  {
    rule: "retries-outlast-deadline",
    where: "retry.attempts",
    bad: { retry: { attempts: 4 }, timeout: { total: "60s", firstToken: "20s" } },
    good: { retry: { attempts: 2 }, timeout: { total: "60s", attempt: "50s", firstToken: "20s", idle: "15s" } },
  },
  {
    rule: "retries-outlast-deadline",
    where: "retry.attempts",
    bad: { timeout: { firstToken: "20s" } },
    good: { timeout: { firstToken: "5s" } },
    facts: { deadline: "30s" },
  },
  {
    rule: "attempt-outlasts-total",
    where: "timeout.attempt",
    bad: { timeout: { attempt: "10m", total: "5m" } },
    good: { timeout: { attempt: "4m", total: "5m" }, retry: { attempts: 2 } },
  },
  {
    rule: "limit-never-fires",
    where: "timeout.firstToken",
    bad: { timeout: { attempt: "30s", firstToken: "1m", idle: "10s" } },
    good: { timeout: { attempt: "30s", firstToken: "10s", idle: "10s" } },
  },
  {
    rule: "limit-never-fires",
    where: "timeout.idle",
    bad: { timeout: { attempt: "30s", firstToken: "10s", idle: "1m" } },
    good: { timeout: { attempt: "30s", firstToken: "10s", idle: false } },
  },
  {
    rule: "deadline-below-first-token",
    where: "timeout.firstToken",
    bad: { retry: false },
    good: { retry: false, timeout: { firstToken: "5s" } },
    facts: { deadline: "10s" },
  },
  {
    rule: "attempt-below-latency",
    where: "timeout.attempt",
    bad: { timeout: { attempt: "20s", firstToken: "10s", idle: "10s" } },
    good: { timeout: { attempt: "2m" } },
    facts: { latency: "30s" },
  },
  {
    rule: "first-token-below-usual",
    where: "timeout.firstToken",
    bad: { timeout: { firstToken: "2s" } },
    good: { timeout: { firstToken: "20s" } },
    facts: { firstToken: "5s" },
  },
  {
    rule: "queue-outlasts-deadline",
    where: "pool.maxQueue",
    bad: { pool: { concurrency: 10, maxQueue: 10_000 } },
    good: { pool: { concurrency: 10, maxQueue: 100 } },
    facts: { latency: "5s" },
  },
  {
    rule: "slow-calls-are-cut",
    where: "breaker.slowCallDuration",
    bad: { breaker: { slowCallDuration: "30s" }, timeout: { firstToken: "20s" } },
    good: { breaker: { slowCallDuration: "10s" }, timeout: { firstToken: "20s" } },
  },
  {
    rule: "probe-timeout-below-latency",
    where: "breaker.probeTimeout",
    bad: { breaker: { probeTimeout: "5s" } },
    good: { breaker: { probeTimeout: "60s" } },
    facts: { firstToken: "10s" },
  },
  {
    rule: "throttling-window-below-latency",
    where: "throttle.clientThrottling.window",
    bad: { throttle: { clientThrottling: { window: "30s" } } },
    good: { throttle: { clientThrottling: true } },
    facts: { latency: "40s" },
  },
  {
    rule: "breaker-has-too-few-calls",
    where: "breaker.minimumCalls",
    bad: { breaker: { minimumCalls: 100 } },
    good: { breaker: { minimumCalls: 10 } },
    facts: { callsPerSecond: 1 },
  },
  {
    rule: "breaker-has-too-few-calls",
    where: "breaker.minimumCalls",
    bad: { rateLimit: { requestsPerMinute: 6 } },
    good: { rateLimit: { requestsPerMinute: 600 } },
  },
  {
    rule: "hedges-under-full-quota",
    where: "hedge",
    bad: { hedge: true, rateLimit: { requestsPerMinute: 600 } },
    good: { hedge: true, rateLimit: { requestsPerMinute: 6000 } },
    facts: { callsPerSecond: 9 },
  },
  {
    rule: "more-than-the-limit",
    where: "rateLimit",
    bad: { rateLimit: { tokensPerMinute: 10_000 } },
    good: { rateLimit: { tokensPerMinute: 200_000 } },
    facts: { callsPerSecond: 1, tokensPerCall: 1000 },
  },
  {
    rule: "stacked-retries",
    where: "retry.attempts",
    bad: {},
    good: { retry: false },
    facts: { clientRetries: 2 },
  },
  {
    rule: "stacked-retries",
    where: "retry.attempts",
    bad: {},
    good: {},
    facts: { clientRetries: 2 },
    goodFacts: { clientRetries: 0 },
  },
  {
    rule: "retries-without-budget",
    where: "retry.budget",
    bad: { retry: { budget: false } },
    good: { retry: { budget: { capacity: 10 } } },
  },
  {
    rule: "pool-below-limits",
    where: "pool.concurrency",
    bad: { pool: { concurrency: 16, maxQueue: 100 }, rateLimit: { requestsPerMinute: 600 } },
    good: { pool: { concurrency: 128, maxQueue: 100 }, rateLimit: { requestsPerMinute: 600 } },
    facts: { latency: "10s" },
  },
  {
    rule: "pool-below-limits",
    where: "throttle.max",
    bad: { pool: { concurrency: 128, maxQueue: 100 }, throttle: { max: 32 }, rateLimit: { requestsPerMinute: 600 } },
    good: { pool: { concurrency: 128, maxQueue: 100 }, rateLimit: { requestsPerMinute: 600 } },
    facts: { latency: "10s" },
  },
  {
    rule: "throttle-below-pool",
    where: "throttle.max",
    bad: { throttle: { max: 8 } },
    good: { throttle: { max: 8 }, pool: { concurrency: 8 } },
  },
  {
    rule: "burst-above-limit",
    where: "rateLimit.burst",
    bad: { rateLimit: { requestsPerMinute: 600, burst: "60s" } },
    good: { rateLimit: { requestsPerMinute: 600, burst: "60s", exact: true } },
  },
  {
    rule: "call-above-limit",
    where: "rateLimit.tokensPerMinute",
    bad: { rateLimit: { tokensPerMinute: 1000 } },
    good: { rateLimit: { tokensPerMinute: 100_000 } },
    facts: { tokensPerCall: 4000 },
  },
  {
    rule: "part-above-whole",
    where: "rateLimit.perClient.requestsPerMinute",
    bad: { rateLimit: { requestsPerMinute: 600, perClient: { requestsPerMinute: 600 } } },
    good: { rateLimit: { requestsPerMinute: 600, perClient: { requestsPerMinute: 60 } } },
  },
  {
    rule: "budget-without-prices",
    where: "budget.prices",
    bad: { budget: { dollarsPerDay: 10 } },
    good: { budget: { dollarsPerDay: 10, prices: { m: { input: 1, output: 2 } } } },
  },
  {
    rule: "stale-longer-than-fresh",
    where: "cache.staleWhileRevalidate",
    bad: { cache: { ttl: "1m", staleWhileRevalidate: "1h" } },
    good: { cache: { ttl: "1h", staleWhileRevalidate: "1m" } },
  },
  {
    rule: "negative-longer-than-fresh",
    where: "cache.negativeTtl",
    bad: { cache: { ttl: "1m", negativeTtl: "1h" } },
    good: { cache: { ttl: "1h", negativeTtl: "1m" } },
  },
  {
    rule: "lease-below-tier-timeout",
    where: "cache.lease",
    bad: { cache: { lease: "80ms" } },
    good: { cache: { lease: "3s" } },
  },
  {
    rule: "lease-wait-below-latency",
    where: "cache.leaseWait",
    bad: { cache: { leaseWait: "1s" } },
    good: { cache: { leaseWait: "1s", lease: false } },
    facts: { latency: "4s" },
  },
  {
    rule: "tier-timeout-above-deadline",
    where: "cache.tierTimeout",
    bad: { cache: { tierTimeout: "5s", lease: "60s" } },
    good: { cache: { tierTimeout: "50ms" } },
    facts: { deadline: "5s" },
  },
  {
    rule: "memory-above-container",
    where: "cache.tiers",
    bad: {},
    good: { cache: false },
    facts: { memory: "64mb" },
  },
];

describe("lint", () => {
  it.each(PROFILE_NAMES)("finds nothing in the profile %s", (profile) => {
    expect(formatFindings(lint({ profile, environment: ENVIRONMENT }, FACTS))).toBe("");
  });

  it.each(CASES)(
    "finds $rule at $where, and not where it is mended",
    ({ rule, where, bad, good, facts = {}, goodFacts }) => {
      const found = lint({ environment: ENVIRONMENT, ...bad }, { ...FACTS, ...facts });
      const finding = found.find((one) => one.rule === rule && one.where === where);
      expect(finding).toBeDefined();
      expect(finding?.change.endsWith(".")).toBe(true);
      expect(rulesOf(good, goodFacts ?? facts)).not.toContain(rule);
    },
  );

  it("is content with what it says to change to", () => {
    const timeout = { total: "60s", attempt: "50s", firstToken: "20s", idle: "15s" } as const;
    const [finding] = lint({ environment: ENVIRONMENT, retry: { attempts: 4 }, timeout }, FACTS);
    expect(finding?.change).toMatch(/^Set retry\.attempts to 2, or timeout\.firstToken to at most 14\.1s/);
    expect(rulesOf({ retry: { attempts: 2 }, timeout }, {})).toEqual([]);
    expect(rulesOf({ retry: { attempts: 4 }, timeout: { ...timeout, firstToken: "14.1s" } }, {})).toEqual([]);
  });

  it("has every rule in the table of its page, with its severity", () => {
    const page = readFileSync(join(import.meta.dirname, "../../docs/lint.md"), "utf8");
    const rows = [...page.matchAll(/^\| `([a-z-]+)` \| .* \| (error|warning|info)(?:, .*)? \|$/gm)];
    const documented = new Map(rows.map(([, rule = "", severity]) => [rule, severity]));
    expect([...documented.keys()].sort()).toEqual([...new Set(CASES.map(({ rule }) => rule))].sort());
    for (const { rule, bad, facts } of CASES) {
      const [found] = lint({ environment: ENVIRONMENT, ...bad }, { ...FACTS, ...facts }).filter(
        (one) => one.rule === rule,
      );
      if (rule !== "memory-above-container") expect([rule, found?.severity]).toEqual([rule, documented.get(rule)]);
    }
  });

  it("puts the worst first, and shows all as text", () => {
    const found = lint(
      { environment: ENVIRONMENT, throttle: { max: 8 }, retry: { budget: false } },
      { ...FACTS, clientRetries: 2 },
    );
    expect(found.map(({ severity }) => severity)).toEqual(["error", "warning", "info"]);
    const [first = ""] = formatFindings(found.toReversed()).split("\n");
    expect(first).toMatch(/^error {2}retry\.attempts: the client tries 3 times and the line 4 times each/);
  });

  it("reads variables as the optimizer does", () => {
    expect(rulesOf({ environment: { BREAKWATER_PROFILE: "interactive" } }, { firstToken: "20s" })).toContain(
      "first-token-below-usual",
    );
  });

  it("says which option or fact is wrong by itself", () => {
    expect(() => lint({ timeout: { total: "soon" as "1s" } })).toThrow('"timeout.total"');
    expect(() => lint({}, { latency: "soon" as "1s" })).toThrow('"facts.latency"');
    expect(() => lint({}, { rate: 1 } as LintFacts)).toThrow('"facts.rate"');
  });
});
