import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import {
  BREAKER_DEFAULTS,
  BUDGET_DEFAULTS,
  CACHE_DEFAULTS,
  COALESCE_DEFAULTS,
  createOptimizer,
  DEADLINE_DEFAULTS,
  FALLBACK_DEFAULTS,
  HEDGE_DEFAULTS,
  MONITOR_DEFAULTS,
  POOL_DEFAULTS,
  PROFILES,
  RATE_LIMIT_DEFAULTS,
  RETRY_DEFAULTS,
  THROTTLE_DEFAULTS,
  TIMEOUT_DEFAULTS,
} from "../../src/index.ts";
import { SEMANTIC_DEFAULTS } from "../../src/policies/semantic/index.ts";

const HEADER = "| option | alone | in an optimizer (production profile) | meaning |";
const { breaker, cache, pool, retry, throttle, timeout } = PROFILES.production;

/** Of each page: the defaults of its factories, what the profile sets, and the options that have no default. */
const PAGES: Readonly<Record<string, { alone: object; profile: object; bare?: readonly string[] }>> = {
  breaker: { alone: BREAKER_DEFAULTS, profile: breaker },
  budget: {
    alone: BUDGET_DEFAULTS,
    profile: {},
    bare: ["dollarsPerDay", "dollarsPerMonth", "prices", "perClient", "perModel", "perCredential", "perLabel"],
  },
  cache: { alone: CACHE_DEFAULTS, profile: cache, bare: ["tiers"] },
  coalesce: { alone: COALESCE_DEFAULTS, profile: {} },
  fallback: { alone: FALLBACK_DEFAULTS, profile: {}, bare: ["targets", "own"] },
  hedge: { alone: HEDGE_DEFAULTS, profile: {}, bare: ["when", "spare"] },
  // An optimizer's monitor has the built-in rules; see the last test.
  monitor: {
    alone: MONITOR_DEFAULTS,
    profile: { defaultAlerts: true },
    bare: ["prices", "alerts", "handlers", "grouping"],
  },
  pool: { alone: POOL_DEFAULTS, profile: pool },
  "rate-limit": {
    alone: RATE_LIMIT_DEFAULTS,
    profile: {},
    bare: [
      "requestsPerMinute",
      "tokensPerMinute",
      "inputTokensPerMinute",
      "outputTokensPerMinute",
      "requestsPerDay",
      "tokensPerDay",
      "concurrency",
      "perModel",
      "perCredential",
      "perClient",
      "perLabel",
      "accounting",
      "tokens",
      "limiter",
    ],
  },
  retry: { alone: RETRY_DEFAULTS, profile: retry },
  semantic: {
    alone: SEMANTIC_DEFAULTS,
    profile: {},
    bare: ["embed", "embedder", "judge", "guards", "index", "evidence"],
  },
  throttle: { alone: THROTTLE_DEFAULTS, profile: throttle },
  timeout: { alone: { ...TIMEOUT_DEFAULTS, ...DEADLINE_DEFAULTS }, profile: timeout },
};

/** Every row under the header, in all tables of the page: option, alone, in an optimizer. */
function rowsOf(page: string): string[][] {
  const rows: string[][] = [];
  let inside = false;
  for (const line of readFileSync(join(import.meta.dirname, `../../docs/${page}.md`), "utf8").split("\n")) {
    if (!line.startsWith("|")) inside = false;
    else if (line === HEADER) inside = true;
    else if (inside && !line.startsWith("|---")) {
      rows.push(
        line
          .split("|")
          .slice(1, 4)
          .map((cell) => cell.trim().replaceAll("`", "")),
      );
    }
  }
  return rows;
}

function parsed(cell: string): unknown {
  if (cell === "none" || cell === "required") return undefined;
  return JSON.parse(/^[\d_.]+$/.test(cell) ? cell.replaceAll("_", "") : cell);
}

function flat(value: object, path = ""): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(value).flatMap(([key, inner]) =>
      typeof inner === "object" && !Array.isArray(inner)
        ? Object.entries(flat(inner, `${path}${key}.`))
        : [[`${path}${key}`, inner]],
    ),
  );
}

describe("the tables of options on the pages of the policies", () => {
  it.each(Object.entries(PAGES))("%s: says what the factory takes by default", (page, { alone, bare = [] }) => {
    const rows = rowsOf(page);
    const documented = Object.fromEntries(rows.map(([option = "", value = ""]) => [option, parsed(value)]));
    expect(Object.keys(documented)).toHaveLength(rows.length);
    const expected = { ...flat(alone), ...Object.fromEntries(bare.map((option) => [option, undefined])) };
    expect(Object.keys(documented).sort()).toEqual(Object.keys(expected).sort());
    expect(documented).toEqual(expected);
  });

  it.each(Object.entries(PAGES))("%s: says where an optimizer differs", (page, { alone, profile }) => {
    const factory = flat(alone);
    const differing = Object.entries(flat(profile)).filter(([option, value]) => factory[option] !== value);
    const documented = rowsOf(page)
      .filter(([option, , optimizer]) => option !== "tiers" && optimizer !== "same")
      .map(([option = "", , optimizer = ""]) => [option, parsed(optimizer)]);
    expect(Object.fromEntries(documented)).toEqual(Object.fromEntries(differing));
  });

  it("monitor: an optimizer has the built-in rules", async () => {
    const optimizer = createOptimizer({ environment: {} });
    expect(optimizer.monitor.alerts.list().length).toBeGreaterThan(0);
    await optimizer.close();
  });
});
