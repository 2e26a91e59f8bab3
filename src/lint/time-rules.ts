import type { Finding } from "./finding.ts";
import type { LineReading } from "./reading.ts";
import { durationText } from "./show.ts";

/** Rules on clocks: which of them can never fire, and which leave no time for what they are there for. */
export function timeFindings(line: LineReading): (Finding | undefined)[] {
  return [
    retriesOutlastDeadline(line),
    attemptOutlastsTotal(line),
    limitOutlastsAttempt(line, "firstToken"),
    limitOutlastsAttempt(line, "idle"),
    deadlineBelowFirstToken(line),
    attemptBelowLatency(line),
    firstTokenBelowUsual(line),
    queueOutlastsDeadline(line),
    slowCallsAreCut(line),
    probeTimeoutBelowLatency(line),
    throttlingWindowBelowLatency(line),
  ];
}

/** The time that a call has in all, and which option says so. */
function budgetOf({ timeout, facts }: LineReading): { readonly ms: number; readonly where: string } {
  const { deadlineMs = Number.POSITIVE_INFINITY } = facts;
  return deadlineMs < timeout.totalMs
    ? { ms: deadlineMs, where: "the deadline of calls" }
    : { ms: timeout.totalMs, where: "timeout.total" };
}

// A silent provider is noticed by the first of its limits, try after try.
function retriesOutlastDeadline(line: LineReading): Finding | undefined {
  const { retry, timeout } = line;
  if (retry === undefined || retry.attempts === 1) return undefined;
  const budget = budgetOf(line);
  const silenceMs = Math.min(timeout.firstTokenMs, timeout.attemptMs);
  if (budget.ms === Number.POSITIVE_INFINITY || silenceMs === Number.POSITIVE_INFINITY) return undefined;
  const untilEndOf = (attempts: number): number => attempts * silenceMs + pausesMs(retry, attempts);
  if (untilEndOf(retry.attempts) <= budget.ms) return undefined;
  let fitting = retry.attempts - 1;
  while (fitting > 1 && untilEndOf(fitting) > budget.ms) fitting--;
  return {
    rule: "retries-outlast-deadline",
    severity: "warning",
    where: "retry.attempts",
    message:
      `${retry.attempts} tries of ${durationText(silenceMs)} each at a silent provider and their pauses take ` +
      `${durationText(untilEndOf(retry.attempts))}, and ${budget.where} is ${durationText(budget.ms)}: the last are never made`,
    change:
      `Set retry.attempts to ${fitting}, or timeout.firstToken to at most ` +
      `${durationText(Math.floor((budget.ms - pausesMs(retry, retry.attempts)) / retry.attempts / 100) * 100)}, or allow more time.`,
  };
}

/** The longest that the pauses between so many tries can be. */
function pausesMs({ baseDelayMs, maxDelayMs }: NonNullable<LineReading["retry"]>, attempts: number): number {
  let sum = 0;
  for (let pause = 0; pause < attempts - 1; pause++) sum += Math.min(maxDelayMs, baseDelayMs * 2 ** pause);
  return sum;
}

function attemptOutlastsTotal({ timeout }: LineReading): Finding | undefined {
  const { attemptMs, totalMs } = timeout;
  if (attemptMs === Number.POSITIVE_INFINITY || attemptMs <= totalMs) return undefined;
  return {
    rule: "attempt-outlasts-total",
    severity: "warning",
    where: "timeout.attempt",
    message: `a try may take ${durationText(attemptMs)}, and the whole call only ${durationText(totalMs)}: a slow try is never followed by another`,
    change: `Set timeout.attempt below ${durationText(totalMs)}, or timeout.total above ${durationText(attemptMs)}.`,
  };
}

function limitOutlastsAttempt({ timeout }: LineReading, name: "firstToken" | "idle"): Finding | undefined {
  const ms = timeout[`${name}Ms`];
  if (ms === Number.POSITIVE_INFINITY || ms <= timeout.attemptMs) return undefined;
  return {
    rule: "limit-never-fires",
    severity: "info",
    where: `timeout.${name}`,
    message: `${durationText(ms)} is longer than timeout.attempt (${durationText(timeout.attemptMs)}), which always fires first`,
    change: `Set timeout.${name} below ${durationText(timeout.attemptMs)}, or to false.`,
  };
}

function deadlineBelowFirstToken(line: LineReading): Finding | undefined {
  const { firstTokenMs } = line.timeout;
  const budget = budgetOf(line);
  if (firstTokenMs === Number.POSITIVE_INFINITY || budget.ms >= firstTokenMs) return undefined;
  return {
    rule: "deadline-below-first-token",
    severity: "warning",
    where: "timeout.firstToken",
    message: `${budget.where} (${durationText(budget.ms)}) ends before the limit of the first token (${durationText(firstTokenMs)}): a provider that is too slow is noticed too late for another try`,
    change: `Set timeout.firstToken to ${durationText(Math.max(1, Math.floor(budget.ms / 2)))} or less.`,
  };
}

function attemptBelowLatency({ timeout, facts }: LineReading): Finding | undefined {
  const { latencyMs = 0 } = facts;
  if (latencyMs <= timeout.attemptMs) return undefined;
  return {
    rule: "attempt-below-latency",
    severity: "error",
    where: "timeout.attempt",
    message: `a usual call takes ${durationText(latencyMs)} and is cut off after ${durationText(timeout.attemptMs)}`,
    change: `Set timeout.attempt to ${durationText(3 * latencyMs)} or more.`,
  };
}

function firstTokenBelowUsual({ timeout, facts }: LineReading): Finding | undefined {
  const { firstTokenMs = 0 } = facts;
  if (firstTokenMs <= timeout.firstTokenMs) return undefined;
  return {
    rule: "first-token-below-usual",
    severity: "error",
    where: "timeout.firstToken",
    message: `a usual first token takes ${durationText(firstTokenMs)} and is given up after ${durationText(timeout.firstTokenMs)}`,
    change: `Set timeout.firstToken to ${durationText(3 * firstTokenMs)} or more.`,
  };
}

// Little's law: the last of a full queue waits for all the others.
function queueOutlastsDeadline(line: LineReading): Finding | undefined {
  const { pool, facts } = line;
  const { latencyMs } = facts;
  if (pool === undefined || latencyMs === undefined || latencyMs === 0) return undefined;
  const budget = budgetOf(line);
  const waitMs = (pool.maxQueue / pool.concurrency) * latencyMs;
  if (waitMs <= budget.ms) return undefined;
  return {
    rule: "queue-outlasts-deadline",
    severity: "warning",
    where: "pool.maxQueue",
    message: `the last of ${pool.maxQueue} that wait would wait ${durationText(waitMs)}, and ${budget.where} is ${durationText(budget.ms)}: they are refused late instead of at once`,
    change: `Set pool.maxQueue to ${Math.floor((budget.ms / latencyMs) * pool.concurrency)} or less, or pool.concurrency higher.`,
  };
}

function slowCallsAreCut({ breaker, timeout }: LineReading): Finding | undefined {
  if (breaker === undefined || breaker.slowCallMs === Number.POSITIVE_INFINITY) return undefined;
  const limitMs = Math.min(timeout.firstTokenMs, timeout.attemptMs);
  if (breaker.slowCallMs < limitMs) return undefined;
  return {
    rule: "slow-calls-are-cut",
    severity: "warning",
    where: "breaker.slowCallDuration",
    message: `no call is ever slow: one that takes ${durationText(breaker.slowCallMs)} to its first token is given up after ${durationText(limitMs)}`,
    change: `Set breaker.slowCallDuration below ${durationText(limitMs)}.`,
  };
}

function probeTimeoutBelowLatency({ breaker, facts }: LineReading): Finding | undefined {
  const usualMs = facts.firstTokenMs ?? facts.latencyMs ?? 0;
  if (breaker === undefined || usualMs <= breaker.probeTimeoutMs) return undefined;
  return {
    rule: "probe-timeout-below-latency",
    severity: "error",
    where: "breaker.probeTimeout",
    message: `a probe fails after ${durationText(breaker.probeTimeoutMs)}, and a usual answer takes ${durationText(usualMs)} to begin: once open, the circuit hardly closes`,
    change: `Set breaker.probeTimeout to ${durationText(3 * usualMs)} or more.`,
  };
}

// A request and its accept must fall into the same window.
function throttlingWindowBelowLatency({ throttle, facts }: LineReading): Finding | undefined {
  const { latencyMs = 0 } = facts;
  const windowMs = throttle?.windowMs;
  if (windowMs === undefined || windowMs >= 2 * latencyMs) return undefined;
  return {
    rule: "throttling-window-below-latency",
    severity: "warning",
    where: "throttle.clientThrottling.window",
    message: `accepts are counted over ${durationText(windowMs)}, and a usual call takes ${durationText(latencyMs)}: its end says little of what was sent meanwhile`,
    change: `Set throttle.clientThrottling.window to ${durationText(4 * latencyMs)} or more.`,
  };
}
