import type { Finding } from "./finding.ts";
import type { LineReading } from "./reading.ts";
import { bytesText, durationText } from "./show.ts";

/** Above this share of the container's memory little is left for the work itself. */
const MEMORY_SHARE = 0.5;

type Cache = NonNullable<LineReading["cache"]>;

/** Rules on the cache. */
export function cacheFindings({ cache, facts, timeout }: LineReading): (Finding | undefined)[] {
  if (cache === undefined) return [];
  const budgetMs = Math.min(timeout.totalMs, facts.deadlineMs ?? Number.POSITIVE_INFINITY);
  return [
    staleLongerThanFresh(cache),
    negativeLongerThanFresh(cache),
    leaseBelowTierTimeout(cache),
    leaseWaitBelowLatency(cache, facts.latencyMs),
    tierTimeoutAboveDeadline(cache, budgetMs),
    memoryAboveContainer(cache, facts.memoryBytes),
  ];
}

function staleLongerThanFresh({ ttlMs, staleWhileRevalidateMs }: Cache): Finding | undefined {
  if (staleWhileRevalidateMs <= ttlMs) return undefined;
  return {
    rule: "stale-longer-than-fresh",
    severity: "warning",
    where: "cache.staleWhileRevalidate",
    message: `an answer is fresh for ${durationText(ttlMs)} and then given for ${durationText(staleWhileRevalidateMs)} more: of a question that is asked seldom, most answers are stale`,
    change: `Set cache.staleWhileRevalidate to ${durationText(ttlMs)} or less, or cache.ttl higher.`,
  };
}

function negativeLongerThanFresh({ ttlMs, negativeTtlMs }: Cache): Finding | undefined {
  if (negativeTtlMs <= ttlMs) return undefined;
  return {
    rule: "negative-longer-than-fresh",
    severity: "warning",
    where: "cache.negativeTtl",
    message: `that a request is wrong is remembered for ${durationText(negativeTtlMs)}, longer than an answer (${durationText(ttlMs)})`,
    change: `Set cache.negativeTtl to ${durationText(ttlMs)} or less.`,
  };
}

function leaseBelowTierTimeout({ leaseMs, tierTimeoutMs }: Cache): Finding | undefined {
  if (leaseMs > 2 * tierTimeoutMs) return undefined;
  return {
    rule: "lease-below-tier-timeout",
    severity: "error",
    where: "cache.lease",
    message: `a lease of ${durationText(leaseMs)} may run out while it is renewed: the tier may take ${durationText(tierTimeoutMs)}`,
    change: `Set cache.lease above ${durationText(4 * tierTimeoutMs)}, or cache.tierTimeout lower.`,
  };
}

function leaseWaitBelowLatency({ leaseMs, leaseWaitMs }: Cache, latencyMs = 0): Finding | undefined {
  if (leaseMs === Number.POSITIVE_INFINITY || leaseWaitMs >= latencyMs) return undefined;
  return {
    rule: "lease-wait-below-latency",
    severity: "warning",
    where: "cache.leaseWait",
    message: `others wait ${durationText(leaseWaitMs)} for an answer that takes ${durationText(latencyMs)}, and then all ask themselves`,
    change: `Set cache.leaseWait to ${durationText(2 * latencyMs)}.`,
  };
}

function tierTimeoutAboveDeadline({ tierTimeoutMs }: Cache, budgetMs: number): Finding | undefined {
  if (tierTimeoutMs < budgetMs) return undefined;
  return {
    rule: "tier-timeout-above-deadline",
    severity: "error",
    where: "cache.tierTimeout",
    message: `a tier that hangs may take ${durationText(tierTimeoutMs)}, all the time that a call has (${durationText(budgetMs)})`,
    change: "Set cache.tierTimeout to a small part of it, such as 50ms.",
  };
}

function memoryAboveContainer({ memoryBytes }: Cache, containerBytes: number | undefined): Finding | undefined {
  if (containerBytes === undefined || memoryBytes <= containerBytes * MEMORY_SHARE) return undefined;
  return {
    rule: "memory-above-container",
    severity: memoryBytes >= containerBytes ? "error" : "warning",
    where: "cache.tiers",
    message: `the cache may hold ${bytesText(memoryBytes)} in memory, and the process has ${bytesText(containerBytes)}`,
    change: `Set maxBytes of memory() to ${bytesText(containerBytes / 4)} or less.`,
  };
}
