import { describe, expect, it } from "vitest";
import {
  type BreakwaterError,
  breaker,
  cache,
  createFetch,
  createOptimizer,
  deadline,
  isBreakwaterError,
  memory,
  type OptimizerOptions,
  pipeline,
  pool,
  rateLimit,
  redis,
  retry,
  scoped,
  sqlite,
  throttle,
  timeout,
  withOptimization,
} from "../../src/index.ts";

const create = (options: unknown) => () => createOptimizer({ environment: {}, ...(options as OptimizerOptions) });
const variable = (name: string, value: string) => () => createOptimizer({ environment: { [name]: value } });
const wrong = <T>(value: unknown) => value as T;

/** What is wrong, what makes it fail, and the option that the message must name. */
const CASES: readonly (readonly [what: string, fail: () => unknown, named: string])[] = [
  ["an unknown option", create({ cahce: {} }), "cahce"],
  ["an unknown profile", create({ profile: "fast" }), "profile"],
  ["options that are no object", () => createOptimizer(wrong("production")), "an object"],
  ["options that are null", () => createOptimizer(wrong(null)), "an object"],
  ["a fetch that is no function", create({ fetch: "https://" }), "fetch"],
  ["a cache that is text", create({ cache: "memory" }), "cache"],
  ["a cache that is a list", create({ cache: [] }), "cache"],
  ["an unknown cache option", create({ cache: { tll: "1h" } }), "cache.tll"],
  ["a ttl without unit", create({ cache: { ttl: "10" } }), "cache.ttl"],
  ["a ttl below zero", create({ cache: { ttl: -1 } }), "cache.ttl"],
  ["a ttl of NaN", create({ cache: { ttl: Number.NaN } }), "cache.ttl"],
  ["no tiers", create({ cache: { tiers: [] } }), "cache.tiers"],
  ["tiers that are no list", create({ cache: { tiers: memory() } }), "cache.tiers"],
  ["a tier that is none", create({ cache: { tiers: [{}] } }), "cache.tiers"],
  ["an entry size that is none", create({ cache: { maxEntryBytes: "big" } }), "cache.maxEntryBytes"],
  ["an unknown determinism gate", create({ cache: { when: "never" } }), "cache.when"],
  ["sharing that is no switch", create({ cache: { shared: "yes" } }), "cache.shared"],
  ["a tier timeout of zero", create({ cache: { tierTimeout: 0 } }), "cache.tierTimeout"],
  ["a cache alone without tiers", () => cache(wrong({})), "cache.tiers"],
  ["memory without room", () => memory({ maxEntries: 0 }), "memory.maxEntries"],
  ["memory in an unknown unit", () => memory({ maxBytes: wrong("1 tb") }), "memory.maxBytes"],
  ["an unknown memory option", () => memory(wrong({ size: 3 })), "memory.size"],
  ["redis at no URL", () => redis({ url: "not a url" }), "redis.url"],
  ["an unknown redis option", () => redis(wrong({ uri: "redis://x" })), "redis.uri"],
  ["sqlite without a path", () => sqlite(wrong({})), "sqlite.path"],
  ["sqlite with an empty path", () => sqlite({ path: "" }), "sqlite.path"],
  ["coalesce that is no switch", create({ coalesce: "on" }), "coalesce"],
  ["a pool without slots", create({ pool: { concurrency: 0 } }), "pool.concurrency"],
  ["half a slot", create({ pool: { concurrency: 1.5 } }), "pool.concurrency"],
  ["slots as text", () => pool({ concurrency: wrong("64") }), "pool.concurrency"],
  ["a queue below zero", () => pool({ maxQueue: -1 }), "pool.maxQueue"],
  ["an unknown pool option", () => pool(wrong({ size: 4 })), "pool.size"],
  ["no attempts", create({ retry: { attempts: 0 } }), "retry.attempts"],
  ["attempts without end", () => retry({ attempts: Number.POSITIVE_INFINITY }), "retry.attempts"],
  ["an unknown retry option", () => retry(wrong({ retries: 3 })), "retry.retries"],
  ["a delay in weeks", () => retry({ baseDelay: wrong("1w") }), "retry.baseDelay"],
  ["an unknown budget option", () => retry({ budget: wrong({ size: 1 }) }), "retry.budget"],
  ["a failure rate above one", create({ breaker: { failureRate: 1.5 } }), "breaker.failureRate"],
  ["a failure rate as a percentage", () => breaker({ failureRate: 50 }), "breaker.failureRate"],
  ["a window of nothing", () => breaker({ window: 0 }), "breaker.window"],
  ["no probes", () => breaker({ probes: 0 }), "breaker.probes"],
  ["calls that are no number", () => breaker({ minimumCalls: wrong("10") }), "breaker.minimumCalls"],
  ["an unknown breaker option", () => breaker(wrong({ threshold: 1 })), "breaker.threshold"],
  ["a throttle below one", create({ throttle: { min: 0 } }), "throttle.min"],
  ["a throttle upside down", () => throttle({ min: 10, max: 5 }), "throttle"],
  ["adaptive that is no switch", () => throttle({ adaptive: wrong(1) }), "throttle.adaptive"],
  ["a limit of zero requests", create({ rateLimit: { requestsPerMinute: 0 } }), "rateLimit.requestsPerMinute"],
  ["a limit below zero", () => rateLimit({ tokensPerMinute: -5 }), "rateLimit.tokensPerMinute"],
  ["a limit as text", () => rateLimit({ requestsPerDay: wrong("1000") }), "rateLimit.requestsPerDay"],
  ["an unknown limit", () => rateLimit(wrong({ rpm: 500 })), "rateLimit.rpm"],
  ["an unknown limit per client", () => rateLimit({ perClient: wrong({ rpm: 5 }) }), "rateLimit.perClient.rpm"],
  ["a burst of nothing", () => rateLimit({ burst: wrong("none") }), "rateLimit.burst"],
  ["a limiter that is none", () => rateLimit({ limiter: wrong({}) }), "rateLimit.limiter"],
  ["a total time of nothing", create({ timeout: { total: 0 } }), "total"],
  ["a timer that is no time", () => timeout({ idle: wrong("later") }), "timeout.idle"],
  ["an unknown timer", () => timeout(wrong({ connect: "1s" })), "timeout.connect"],
  ["a deadline that is no time", () => deadline(wrong("soon")), "deadline"],
  ["an unknown profile variable", variable("BREAKWATER_PROFILE", "fast"), "BREAKWATER_PROFILE"],
  ["a variable that is no number", variable("BREAKWATER_POOL_CONCURRENCY", "many"), "BREAKWATER_POOL_CONCURRENCY"],
  ["a variable that is no switch", variable("BREAKWATER_CACHE", "maybe"), "BREAKWATER_CACHE"],
  ["a variable out of range", variable("BREAKWATER_BREAKER_FAILURE_RATE", "7"), "breaker.failureRate"],
  ["a scope that is no object", () => scoped(wrong("high")), "scope"],
  ["an unknown priority", () => scoped({ priority: wrong("urgent") }), "scope.priority"],
  ["an unknown scope option", () => scoped(wrong({ prio: 1 })), "scope.prio"],
  ["tags that are no list", () => scoped({ tags: wrong("faq") }), "scope.tags"],
  ["an unknown cache mode", () => scoped({ cache: wrong("off") }), "scope.cache"],
  ["a line of something else", () => pipeline(wrong(() => {})), "pipeline"],
  ["a line with two retries", () => pipeline(retry(), retry()), "retry"],
  ["a line in the wrong order", () => pipeline(breaker(), pool()), "pool"],
  ["a fetch that is none, in a line", () => createFetch(pipeline(), { fetch: wrong(1) }), "fetch"],
];

function failureOf(run: () => unknown): unknown {
  try {
    run();
  } catch (error) {
    return error;
  }
  return undefined;
}

describe("bad input", () => {
  it("is tried in at least sixty ways", () => {
    expect(CASES.length).toBeGreaterThanOrEqual(60);
  });

  it.each(CASES)("%s gives one clear error that names it", (_what, run, named) => {
    const error = failureOf(run) as BreakwaterError;
    expect(isBreakwaterError(error), String(error)).toBe(true);
    expect(["OPTION_INVALID", "PIPELINE_INVALID"]).toContain(error.code);
    expect(error.message).toContain(named);
  });

  it.each([
    ["a request that is none", undefined],
    ["a request without a model", { input: "x" }],
    ["a model that is no text", { model: 5, input: "x" }],
    ["an empty model", { model: "", input: "x" }],
    ["a request that is text", "hello"],
    ["a judge that is no function", { model: "m", input: "x", judge: "retry" }],
  ])("a call with %s is rejected and never asked", async (_what, request) => {
    const optimizer = createOptimizer({ environment: {} });
    let asked = 0;
    const call = optimizer.call(request as never, async () => ++asked);
    await expect(call).rejects.toMatchObject({ code: "OPTION_INVALID" });
    await expect(optimizer.call({ model: "m", input: "x" }, "fn" as never)).rejects.toMatchObject({
      code: "OPTION_INVALID",
    });
    expect(asked).toBe(0);
    await optimizer.close();
  });

  it("of a client that is none lists what is supported and where to go instead", () => {
    for (const client of [{}, () => {}, null, "openai", { chat: {} }]) {
      expect(() => withOptimization(client as never)).toThrowError(TypeError);
      expect(() => withOptimization(client as never)).toThrowError(/OpenAI.*optimizer\.fetch.*optimizer\.call/s);
    }
  });

  it("to a job or after the end gives an error, not silence", async () => {
    const optimizer = createOptimizer({ environment: {} });
    optimizer.submit("a", async () => 1);
    expect(() => optimizer.submit("a", async () => 2)).toThrowError(/"a"/);
    expect(() => optimizer.submit("", async () => 2)).toThrowError(/id/);
    await optimizer.result("a");
    await expect(optimizer.result("never")).rejects.toMatchObject({ code: "OPTION_INVALID" });
    expect(() => optimizer.tune("fast" as never)).toThrowError(/profile/);
    await optimizer.close();
    await expect(optimizer.call({ model: "m", input: "x" }, async () => 1)).rejects.toMatchObject({ code: "CLOSED" });
    await optimizer.close();
  });
});
