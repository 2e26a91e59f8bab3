import type { Attributes } from "@opentelemetry/api";
import type { BreakwaterEvent } from "../../core/index.ts";

type End = BreakwaterEvent<"call.completed" | "call.failed" | "call.cancelled">;
type AttemptEnd = BreakwaterEvent<"attempt.completed" | "attempt.failed">;

const WAITS = { queue: "queue", throttle: "throttle", rateLimit: "rate_limit", backoff: "backoff" } as const;

/** What is known of a call when it begins. Names in `gen_ai` are those of the OpenTelemetry GenAI conventions. */
export function startAttributes(event: BreakwaterEvent<"call.started">): Attributes {
  return defined({
    "gen_ai.operation.name": event.op,
    "gen_ai.provider.name": event.provider,
    "gen_ai.request.model": event.model,
    "gen_ai.request.stream": event.stream,
    "breakwater.call.id": event.callId,
    "breakwater.priority": event.priority,
  });
}

/** What is known of it when it has ended. Times are seconds. */
export function endAttributes(event: End): Attributes {
  const { usage, waits } = event;
  return defined({
    "gen_ai.response.time_to_first_chunk": seconds(event.firstChunkMs),
    "gen_ai.usage.input_tokens": usage?.inputTokens,
    "gen_ai.usage.output_tokens": usage?.outputTokens,
    "gen_ai.usage.cache_read.input_tokens": usage?.cachedInputTokens,
    "gen_ai.usage.reasoning.output_tokens": usage?.reasoningTokens,
    "breakwater.route": event.route,
    "breakwater.attempts": event.attempts,
    "breakwater.provider_time": event.providerMs / 1000,
    ...Object.fromEntries(
      Object.entries(WAITS).map(([wait, name]) => [
        `breakwater.wait.${name}`,
        seconds(waits[wait as keyof typeof WAITS] || undefined),
      ]),
    ),
    ...outcomeOf(event),
  });
}

function outcomeOf(event: End): Record<string, Attributes[string]> {
  if (event.type === "call.completed") {
    return {
      "gen_ai.response.model": event.responseModel,
      "gen_ai.response.finish_reasons": event.finishReasons === undefined ? undefined : [...event.finishReasons],
      "breakwater.answered_by": event.answeredBy,
      "breakwater.cache.tier": event.tier,
    };
  }
  if (event.type === "call.cancelled") return { "breakwater.cancelled": true };
  return {
    "error.type": event.errorType,
    "http.response.status_code": event.status,
    "breakwater.refused_by": event.refusedBy,
  };
}

/** An attempt has none of the names in `gen_ai`, so that nobody who counts calls by them counts it too. */
export function attemptAttributes(event: BreakwaterEvent<"attempt.started">): Attributes {
  return defined({
    "breakwater.attempt.number": event.attempt,
    "breakwater.attempt.kind": event.kind,
    "breakwater.attempt.provider": event.provider,
    "breakwater.attempt.model": event.model,
  });
}

export function attemptEndAttributes(event: AttemptEnd): Attributes {
  const status = event.status === 0 ? undefined : event.status;
  if (event.type === "attempt.failed") {
    return defined({
      "error.type": event.errorType,
      "http.response.status_code": status,
      "breakwater.attempt.retry_after": seconds(event.retryAfterMs),
    });
  }
  return defined({
    "http.response.status_code": status,
    "breakwater.attempt.time_to_first_chunk": seconds(event.firstContentMs),
  });
}

function seconds(ms: number | undefined): number | undefined {
  return ms === undefined ? undefined : ms / 1000;
}

function defined(attributes: Record<string, Attributes[string]>): Attributes {
  return Object.fromEntries(Object.entries(attributes).filter(([, value]) => value !== undefined));
}
