import type { Kind } from "./facts.ts";
import type { FunctionSums } from "./functions.ts";
import { type Group, mostOf, type SlowPart } from "./group.ts";
import type { AdvisorSettings } from "./options.ts";

export type FindingKind = "slow" | "repeated" | "expensive" | "prompt_order" | "timeouts" | "retries" | "slow_function";

/** One thing that could be better. */
export interface Finding extends Kind {
  readonly kind: FindingKind;
  /** The measured function that it is about; of `slow_function` alone. */
  readonly name: string | undefined;
  /** Calls, or runs, that were looked at. */
  readonly calls: number;
  /** Those of them that it is about. */
  readonly affected: number;
  /** What a change could save in 30 days; dollars are absent where no price is known. */
  readonly savesPerMonth: { readonly dollars: number | undefined; readonly seconds: number };
  /** The figures behind it. */
  readonly evidence: Readonly<Record<string, number | string>>;
  readonly advice: string;
}

/** What is found in sums as they are: not yet for a month. */
type Found = Omit<Finding, keyof Kind | "name" | "savesPerMonth"> & {
  readonly dollars: number | undefined;
  readonly seconds: number;
};

// What lies below is usual: providers fail for one call in a hundred.
const SLOW_SHARE_MIN = 0.05;
const REPEATED_SHARE_MIN = 0.05;
const REORDERABLE_SHARE_MIN = 0.2;
const TIMED_OUT_SHARE_MIN = 0.05;
const RETRIED_SHARE_MIN = 0.1;

/** Everything that is found in the calls of one kind. */
export function findingsOf(group: Group, settings: AdvisorSettings): Found[] {
  if (group.calls < settings.minCalls) return [];
  const found = [
    slow(group),
    repeated(group, settings),
    expensive(group, settings),
    promptOrder(group, settings),
    timeouts(group),
    retries(group),
  ];
  return found.filter((one): one is Found => one !== undefined);
}

const SLOW_ADVICE: Readonly<Record<SlowPart, string>> = {
  queue: "They wait for a slot: raise pool.concurrency, or give them a higher priority.",
  throttle: "They wait because the provider is slow or overloaded: add a target to fallback, or another credential.",
  rateLimit: "They wait for a rate limit: ask the provider for a higher one, or spread them over credentials or time.",
  provider: "The provider takes the time: ask for shorter answers, take a faster model, or stream them.",
};

function slow(group: Group): Found | undefined {
  const { calls, slow: affected, slowExcessMs, slowMs } = group;
  if (affected / calls < SLOW_SHARE_MIN) return undefined;
  const part = mostOf(Object.entries(slowMs) as [SlowPart, number][]) ?? "provider";
  const total = Object.values(slowMs).reduce((sum, ms) => sum + ms, 0);
  return {
    kind: "slow",
    calls,
    affected,
    dollars: undefined,
    seconds: slowExcessMs / 1000,
    evidence: {
      meanMs: Math.round(total / affected),
      mostlyIn: part,
      ...Object.fromEntries(Object.entries(slowMs).map(([name, ms]) => [`${name}Ms`, Math.round(ms / affected)])),
    },
    advice: SLOW_ADVICE[part],
  };
}

function repeated({ upstream, repeats, repeatMs, repeatCost, priced, uncached }: Group, { minCalls }: AdvisorSettings) {
  if (upstream < minCalls || repeats / upstream < REPEATED_SHARE_MIN) return undefined;
  const reason = mostOf(uncached) ?? "off";
  return {
    kind: "repeated",
    calls: upstream,
    affected: repeats,
    dollars: priced === 0 ? undefined : repeatCost,
    seconds: repeatMs / 1000,
    evidence: { uncached: reason },
    advice: repeatedAdvice(reason),
  } satisfies Found;
}

function repeatedAdvice(reason: string): string {
  switch (reason) {
    case "off":
      return "The same was asked before and the cache is off: switch it on.";
    case "bypass":
      return 'The same was asked before, and the scope says cache: "bypass": leave that out where an earlier answer would do.';
    case "absent":
      return "The same was asked before, and its answer was not there any more: raise cache.ttl, or maxBytes of the tiers; if it was never kept, cache.skipped says why.";
    case "expired":
      return "The same is asked again after its answer has expired: raise cache.ttl.";
    default:
      return `The same was asked before, and the cache was not used (${reason}).`;
  }
}

function expensive({ priced, cost, inputTokens, outputTokens, upstream }: Group, settings: AdvisorSettings) {
  const { minCalls, expensiveCall } = settings;
  if (priced < minCalls || cost / priced <= expensiveCall) return undefined;
  const perCall = (tokens: number): number => (upstream === 0 ? 0 : Math.round(tokens / upstream));
  return {
    kind: "expensive",
    calls: priced,
    affected: priced,
    dollars: cost - priced * expensiveCall,
    seconds: 0,
    evidence: {
      dollarsPerCall: rounded(cost / priced),
      inputTokens: perCall(inputTokens),
      outputTokens: perCall(outputTokens),
    },
    advice: "Try a cheaper model, a shorter prompt, or a bound of output tokens.",
  } satisfies Found;
}

function promptOrder(group: Group, { minCalls }: AdvisorSettings): Found | undefined {
  const {
    readTokens,
    reorderable,
    reorderableTokens,
    reorderableCost,
    inputTokens,
    cachedInputTokens,
    upstream,
    priced,
  } = group;
  if (upstream < minCalls || reorderable === 0) return undefined;
  if (reorderableTokens < readTokens * REORDERABLE_SHARE_MIN) return undefined;
  return {
    kind: "prompt_order",
    calls: upstream,
    affected: reorderable,
    dollars: priced === 0 ? undefined : reorderableCost,
    seconds: 0,
    evidence: {
      cachedShare: rounded(cachedInputTokens / inputTokens),
      reorderableShare: rounded(reorderableTokens / readTokens),
    },
    advice:
      "Most of the prompt is the same each time, but stands behind something that changes: put what changes (dates, ids, documents) last, so that the provider's prompt cache serves the rest.",
  };
}

function timeouts({ calls, timedOut, timeouts: fired, timeoutMs }: Group): Found | undefined {
  if (timedOut / calls < TIMED_OUT_SHARE_MIN) return undefined;
  return {
    kind: "timeouts",
    calls,
    affected: timedOut,
    dollars: undefined,
    seconds: timeoutMs / 1000,
    evidence: { timeouts: fired, meanMs: Math.round(timeoutMs / timedOut) },
    advice:
      "Raise the limit of the phase that fires (event timeout.fired) if answers come just after it; else ask for shorter answers, or add a target to fallback.",
  };
}

function retries({ calls, retried, retries: made, retryMs, failures }: Group): Found | undefined {
  if (retried / calls < RETRIED_SHARE_MIN) return undefined;
  const reason = mostOf(failures) ?? "unknown";
  return {
    kind: "retries",
    calls,
    affected: retried,
    dollars: undefined,
    seconds: retryMs / 1000,
    evidence: { retries: made, mostlyFor: reason },
    advice:
      reason === "rate_limited"
        ? "They run into the provider's limit and are sent again: set rateLimit to what the provider allows."
        : "The provider fails often: add a target to fallback, and see the breaker's rates.",
  };
}

/** A measured function that is often slow. */
export function slowFunction(sums: FunctionSums, { minCalls }: AdvisorSettings): Found | undefined {
  const { runs, durationMs, slow: affected, slowExcessMs, slowestMs } = sums;
  if (runs < minCalls || affected / runs < SLOW_SHARE_MIN) return undefined;
  return {
    kind: "slow_function",
    calls: runs,
    affected,
    dollars: undefined,
    seconds: slowExcessMs / 1000,
    evidence: { meanMs: Math.round(durationMs / runs), slowestMs: Math.round(slowestMs) },
    advice: "This function is slow by itself, without any call of a model: look at its query, or cache what it gives.",
  };
}

function rounded(value: number): number {
  return Number(value.toPrecision(3));
}
