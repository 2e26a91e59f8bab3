import { lines, type Panel, stat, states, table } from "./panels.ts";

/** Panels under one heading. */
export interface Row {
  readonly title: string;
  readonly panels: readonly Panel[];
}

const CALL = 'provider=~"$provider",model=~"$model"';

const rate = (metric: string, labels = CALL): string => `rate(${metric}{${labels}}[$__rate_interval])`;
const total = (metric: string, by = "", labels = CALL): string => `sum${by}(${rate(metric, labels)})`;
/** Of a histogram, 0 to 1. */
const quantile = (q: number, metric: string, by = "", labels = CALL): string => {
  const groups = by === "" ? "le" : `le, ${by}`;
  return `histogram_quantile(${q}, sum by (${groups}) (${rate(`${metric}_bucket`, labels)}))`;
};

/** Where there is nothing of the part, 0 and not a gap. */
const share = (part: string, whole: string): string => `(${part} or 0 * ${whole}) / ${whole}`;
const answered = (by = ""): string => share(total(CALLS, by, ANSWERED), total(CALLS, by, JUDGED));

const breakers = (state: string): string => `max by (breaker) (breakwater_breaker_state{state="${state}"})`;

const CALLS = "breakwater_calls_total";
const DURATION = "breakwater_call_duration_seconds";
const FIRST_CHUNK = "gen_ai_client_operation_time_to_first_chunk_seconds";
const ANSWERED = `${CALL},outcome="success"`;
// What was refused here and what its caller gave up is no failure of the service.
const JUDGED = `${CALL},outcome=~"success|error"`;

const now: Row = {
  title: "Now",
  panels: [
    stat("Calls per minute", "cpm", `60 * ${total(CALLS)}`),
    stat("Answered", "percentunit", answered(), {
      description: "Of the calls that were answered or failed, retries and fallbacks included.",
    }),
    stat("p95 of a call", "s", quantile(0.95, DURATION)),
    stat("p95 to the first content", "s", quantile(0.95, FIRST_CHUNK)),
    stat(
      "Tokens per minute",
      "cpm",
      `60 * ${total("breakwater_tokens_total", "", `${CALL},token_type=~"input|output"`)}`,
    ),
    stat("Cost per hour", "currencyUSD", `3600 * ${total("breakwater_cost_usd_total")}`),
  ],
};

const calls: Row = {
  title: "Calls",
  panels: [
    lines("How long a call takes", "s", {
      p50: quantile(0.5, DURATION),
      p95: quantile(0.95, DURATION),
      p99: quantile(0.99, DURATION),
    }),
    lines("p95 to the first content", "s", { "{{model}}": quantile(0.95, FIRST_CHUNK, "model") }),
    lines(
      "Errors per second",
      "short",
      { "{{error_type}}": total(CALLS, " by (error_type) ", `${CALL},outcome=~"error|rejected"`) },
      { stacked: true },
    ),
    lines(
      "Where answers come from, per second",
      "short",
      { "{{served_by}}": total(CALLS, " by (served_by) ", ANSWERED) },
      { stacked: true },
    ),
    table("Providers and models", {
      "Calls per minute": `60 * ${total(CALLS, " by (provider, model) ")}`,
      Answered: answered(" by (provider, model) "),
      "p95 (s)": quantile(0.95, DURATION, "provider, model"),
      "Tokens per minute": `60 * ${total("breakwater_tokens_total", " by (provider, model) ", `${CALL},token_type=~"input|output"`)}`,
      "Cost per hour (USD)": `3600 * ${total("breakwater_cost_usd_total", " by (provider, model) ")}`,
    }),
  ],
};

const resilience: Row = {
  title: "Resilience",
  panels: [
    states("Circuit breakers", "{{breaker}}", `${breakers("half_open")} + 2 * ${breakers("open")}`, [
      {
        type: "value",
        options: { 0: { text: "closed", color: "green" }, 1: { text: "half open", color: "yellow" } },
      },
      { type: "value", options: { 2: { text: "open", color: "red" } } },
    ]),
    lines("Attempts per call", "short", {
      "{{provider}}": `${total("breakwater_attempts_total", " by (provider) ")} / ${total("breakwater_attempts_total", " by (provider) ", `${CALL},kind="first"`)}`,
    }),
    lines(
      "Retries per second",
      "short",
      { "{{reason}}": total("breakwater_retries_total", " by (reason) ") },
      { stacked: true },
    ),
    lines("p95 of waits", "s", { "{{reason}}": quantile(0.95, "breakwater_call_wait_seconds", "reason") }),
    lines("What providers say is left", "percentunit", {
      "{{key}} {{unit}} {{window}}": "min by (key, unit, window) (breakwater_ratelimit_remaining_ratio)",
    }),
    lines("Calls at work and in the queue", "short", {
      "at work": `sum(breakwater_calls_in_flight{${CALL}})`,
      queued: "max(breakwater_pool_depth)",
    }),
    lines("Timeouts and broken streams per second", "short", {
      "timeout: {{phase}}": total("breakwater_timeouts_total", " by (phase) "),
      "stream: {{reason}}": total("breakwater_stream_interruptions_total", " by (reason) "),
    }),
    lines("Refused per second", "short", {
      "rate limit": "sum(rate(breakwater_ratelimit_rejections_total[$__rate_interval]))",
      throttle: "sum(rate(breakwater_throttle_rejections_total[$__rate_interval]))",
      pool: "sum(rate(breakwater_pool_rejections_total[$__rate_interval]))",
      breaker: "sum(rate(breakwater_breaker_rejections_total[$__rate_interval]))",
    }),
    lines("Fallbacks per second", "short", {
      "{{from}} to {{to}}": "sum by (from, to) (rate(breakwater_fallbacks_total[$__rate_interval]))",
    }),
    lines("Share of lookups that the cache answers", "percentunit", {
      "{{tier}}": `${total("breakwater_cache_lookups_total", " by (tier) ", `${CALL},result="hit"`)} / ignoring(tier) group_left() ${total("breakwater_cache_lookups_total")}`,
    }),
  ],
};

const process: Row = {
  title: "Process",
  panels: [
    lines("Delay of the event loop", "s", {
      p50: "max(nodejs_eventloop_delay_p50_seconds)",
      p99: "max(nodejs_eventloop_delay_p99_seconds)",
    }),
    lines("Work of the event loop and the processors", "percentunit", {
      "event loop": "max(nodejs_eventloop_utilization_ratio)",
      processors: "max(process_cpu_utilization_ratio)",
    }),
    lines("Memory", "bytes", {
      resident: "max(process_memory_usage_bytes)",
      heap: "max(v8js_memory_heap_used_bytes)",
      "limit of the heap": "max(v8js_memory_heap_limit_bytes)",
    }),
    lines("The monitor itself", "short", {
      "label sets of {{metric}}": "topk(3, max by (metric) (breakwater_monitor_series))",
      "alerts that fire: {{rule}}": "sum by (rule) (breakwater_alerts_firing > 0)",
    }),
  ],
};

export const ROWS: readonly Row[] = [now, calls, resilience, process];
