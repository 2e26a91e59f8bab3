import type { RateLimits } from "../policies/rate-limit/index.ts";
import type { Finding } from "./finding.ts";
import type { LineReading } from "./reading.ts";
import { durationText } from "./show.ts";

const MINUTE_MS = 60_000;
/** A quota of which this share is used has none to spare. */
const FULL = 0.8;
/** By how much a minute's limit may be exceeded before it is worth a word. */
const OVERSHOOT = 0.25;

/** Rules on how much: rates, limits, sizes, and who tries again. */
export function loadFindings(line: LineReading): (Finding | undefined)[] {
  return [
    breakerHasTooFewCalls(line),
    hedgesUnderFullQuota(line),
    stackedRetries(line),
    retriesWithoutBudget(line),
    poolBelowLimits(line),
    throttleBelowPool(line),
    burstAboveLimit(line),
    callAboveLimit(line),
    moreThanTheLimit(line),
    ...partsAboveWhole(line),
    budgetWithoutPrices(line),
  ];
}

function breakerHasTooFewCalls({ breaker, rateLimit, facts }: LineReading): Finding | undefined {
  if (breaker === undefined) return undefined;
  const allowed = (rateLimit?.limits.requestsPerMinute ?? Number.POSITIVE_INFINITY) / 60;
  const perSecond = Math.min(facts.callsPerSecond ?? Number.POSITIVE_INFINITY, allowed);
  const inWindow = perSecond * (breaker.windowMs / 1000);
  if (inWindow >= breaker.minimumCalls) return undefined;
  const needed = Math.ceil((breaker.minimumCalls / perSecond) * 1000);
  return {
    rule: "breaker-has-too-few-calls",
    severity: "warning",
    where: "breaker.minimumCalls",
    message: `${amount(inWindow)} calls come within breaker.window (${durationText(breaker.windowMs)}), and it opens from ${breaker.minimumCalls} on: never`,
    change:
      inWindow >= 2
        ? `Set breaker.minimumCalls to ${Math.floor(inWindow)} or less, or breaker.window to ${durationText(needed)}; or set breaker.consecutiveFailures.`
        : "Set breaker.consecutiveFailures, for example to 3: so few calls make no rate.",
  };
}

/** How much of the minute's quota the expected calls take: 0 to 1 and above; `undefined` where that is not known. */
function shareOfQuota({ rateLimit, facts }: LineReading): number | undefined {
  const { callsPerSecond, tokensPerCall = 0 } = facts;
  if (callsPerSecond === undefined || rateLimit === undefined) return undefined;
  const { requestsPerMinute = Number.POSITIVE_INFINITY, tokensPerMinute = Number.POSITIVE_INFINITY } = rateLimit.limits;
  const perMinute = callsPerSecond * 60;
  return Math.max(perMinute / requestsPerMinute, (perMinute * tokensPerCall) / tokensPerMinute);
}

function hedgesUnderFullQuota(line: LineReading): Finding | undefined {
  const share = shareOfQuota(line) ?? 0;
  if (!line.hedges || share < FULL) return undefined;
  return {
    rule: "hedges-under-full-quota",
    severity: "warning",
    where: "hedge",
    message: `the expected calls take ${percent(share)} of the quota: there is no room for second tries`,
    change: "Set hedge to false, or raise the limits.",
  };
}

function moreThanTheLimit(line: LineReading): Finding | undefined {
  const share = shareOfQuota(line) ?? 0;
  if (share <= 1) return undefined;
  return {
    rule: "more-than-the-limit",
    severity: "warning",
    where: "rateLimit",
    message: `the expected calls take ${percent(share)} of the quota: what waits grows until calls are refused`,
    change: "Raise the limits, add a fallback with a quota of its own, or expect calls to be refused.",
  };
}

function stackedRetries({ retry, facts }: LineReading): Finding | undefined {
  const { clientRetries } = facts;
  if (retry === undefined || retry.attempts === 1 || clientRetries === 0) return undefined;
  return {
    rule: "stacked-retries",
    severity: "error",
    where: "retry.attempts",
    message: `the client tries ${clientRetries + 1} times and the line ${retry.attempts} times each: up to ${(clientRetries + 1) * retry.attempts} requests a call`,
    change: "Set the client's own retries to 0 (maxRetries: 0), or retry to false.",
  };
}

function retriesWithoutBudget({ retry }: LineReading): Finding | undefined {
  if (retry === undefined || retry.budget || retry.attempts === 1) return undefined;
  return {
    rule: "retries-without-budget",
    severity: "warning",
    where: "retry.budget",
    message: `in an outage every call is tried ${retry.attempts} times: ${retry.attempts} times the load`,
    change: "Leave retry.budget at its default.",
  };
}

// Little's law: calls at once = rate x time of each.
function poolBelowLimits({ pool, throttle, rateLimit, facts }: LineReading): Finding | undefined {
  const { requestsPerMinute } = rateLimit?.limits ?? {};
  if (facts.latencyMs === undefined || requestsPerMinute === undefined) return undefined;
  const needed = Math.ceil((requestsPerMinute * facts.latencyMs) / MINUTE_MS);
  const bounds = [
    { where: "pool.concurrency", most: pool?.concurrency ?? Number.POSITIVE_INFINITY },
    { where: "throttle.max", most: throttle?.max ?? Number.POSITIVE_INFINITY },
  ];
  const short = bounds.find(({ most }) => most < needed);
  if (short === undefined) return undefined;
  return {
    rule: "pool-below-limits",
    severity: "warning",
    where: short.where,
    message: `${requestsPerMinute} requests a minute of ${durationText(facts.latencyMs)} each are ${needed} at once, and ${short.most} may run: at most ${percent(short.most / needed)} of the limit is used`,
    change: `Set ${short.where} to ${Math.ceil(needed * 1.25)}.`,
  };
}

function throttleBelowPool({ pool, throttle }: LineReading): Finding | undefined {
  if (pool === undefined || throttle === undefined || throttle.max >= pool.concurrency) return undefined;
  return {
    rule: "throttle-below-pool",
    severity: "info",
    where: "throttle.max",
    message: `${pool.concurrency} calls may run and only ${throttle.max} of them at one model: the others hold slots while they wait`,
    change: `Set pool.concurrency to ${throttle.max} where there is one model, or throttle.max to ${pool.concurrency}.`,
  };
}

function burstAboveLimit({ rateLimit }: LineReading): Finding | undefined {
  if (rateLimit === undefined || rateLimit.exact) return undefined;
  const over = rateLimit.burstMs / MINUTE_MS;
  if (over <= OVERSHOOT || rateLimit.limits.requestsPerMinute === undefined) return undefined;
  return {
    rule: "burst-above-limit",
    severity: "warning",
    where: "rateLimit.burst",
    message: `a burst of ${durationText(rateLimit.burstMs)} lets ${percent(1 + over)} of the limit through in a minute`,
    change: "Set rateLimit.burst to 10s or less, or rateLimit.exact to true.",
  };
}

function callAboveLimit({ rateLimit, facts }: LineReading): Finding | undefined {
  const { tokensPerMinute } = rateLimit?.limits ?? {};
  const { tokensPerCall } = facts;
  if (tokensPerMinute === undefined || tokensPerCall === undefined || tokensPerCall <= tokensPerMinute)
    return undefined;
  return {
    rule: "call-above-limit",
    severity: "error",
    where: "rateLimit.tokensPerMinute",
    message: `a usual call takes ${tokensPerCall} tokens, more than a minute's ${tokensPerMinute}: calls go one at a time and the provider may refuse them`,
    change: "Raise rateLimit.tokensPerMinute, or ask for less at once.",
  };
}

function partsAboveWhole({ rateLimit }: LineReading): (Finding | undefined)[] {
  if (rateLimit === undefined) return [];
  const { limits, perClient, perModel } = rateLimit;
  return Object.entries({ perClient, perModel }).flatMap(([name, part]) =>
    (Object.keys(part) as (keyof RateLimits)[]).map((unit) => partAboveWhole(name, unit, part[unit], limits[unit])),
  );
}

function partAboveWhole(
  name: string,
  unit: keyof RateLimits,
  part: number | undefined,
  whole: number | undefined,
): Finding | undefined {
  if (part === undefined || whole === undefined || part < whole) return undefined;
  return {
    rule: "part-above-whole",
    severity: "warning",
    where: `rateLimit.${name}.${unit}`,
    message: `${part} is not below the limit of all, ${whole}: one alone may use everything`,
    change: `Set rateLimit.${name}.${unit} below ${whole}, or leave it out.`,
  };
}

function budgetWithoutPrices({ budget }: LineReading): Finding | undefined {
  if (budget === undefined || budget.prices !== undefined) return undefined;
  const refuses = budget.unknownPrice === "refuse";
  return {
    rule: "budget-without-prices",
    severity: "error",
    where: "budget.prices",
    message: refuses ? "no model has a price, so every call is refused" : "no model has a price, so nothing is counted",
    change: "Give budget.prices, in US dollars per million tokens.",
  };
}

function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}

function amount(value: number): string {
  return value >= 10 ? String(Math.round(value)) : String(Number(value.toFixed(1)));
}
