import type { Fault, Random } from "../../core/index.ts";

export interface BackoffSettings {
  readonly baseDelayMs: number;
  readonly maxDelayMs: number;
}

/** How long to wait, and what decided it. */
export interface Pause {
  readonly ms: number;
  readonly source: "backoff" | "retry_after";
}

// A provider without capacity needs longer to recover than one that dropped a single request.
const OVERLOADED_BASE_MS = 1_000;

/**
 * The pause after the `failures`-th failed try: exponential with full jitter, and never shorter than the provider's
 * "not before".
 * Algorithm: "full jitter" of Marc Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
 */
export function pauseAfter(fault: Fault, failures: number, settings: BackoffSettings, random: Random): Pause {
  const base = lacksCapacity(fault) ? Math.max(settings.baseDelayMs, OVERLOADED_BASE_MS) : settings.baseDelayMs;
  const ceiling = Math.min(settings.maxDelayMs, base * 2 ** (failures - 1));
  const backoffMs = random() * ceiling;
  const notBeforeMs = fault.retryAfterMs ?? 0;
  return notBeforeMs > backoffMs ? { ms: notBeforeMs, source: "retry_after" } : { ms: backoffMs, source: "backoff" };
}

function lacksCapacity(fault: Fault): boolean {
  return fault.kind === "overloaded" || fault.status === 503 || fault.status === 529;
}
