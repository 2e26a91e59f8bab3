import type { Usage } from "../../core/index.ts";
import { isObject, type JsonObject, objectOf } from "./json.ts";

/**
 * The tokens of an answer, from any of the forms that OpenAI-compatible providers send; `undefined` where it has none.
 *
 * Input includes what was cached, output includes reasoning. Some providers (xAI, Gemini's compatible endpoint) leave
 * reasoning out of `completion_tokens` and count it in `total_tokens` only; with all others the total is the sum, so
 * the output is what the total has beyond the prompt.
 */
export function readUsage(value: unknown): Usage | undefined {
  if (!isObject(value)) return undefined;
  const input = count(value["prompt_tokens"]) ?? count(value["input_tokens"]);
  const told = count(value["completion_tokens"]) ?? count(value["output_tokens"]);
  if (input === undefined && told === undefined) return undefined;
  const inputTokens = input ?? 0;
  const total = count(value["total_tokens"]) ?? 0;
  const outputTokens = Math.max(told ?? 0, total - inputTokens);
  const cached = cachedTokens(value);
  const unnamed = outputTokens - (told ?? outputTokens);
  const reasoning = reasoningTokens(value) ?? (unnamed > 0 ? unnamed : undefined);
  return {
    inputTokens,
    outputTokens,
    ...(cached !== undefined && { cachedInputTokens: cached }),
    ...(reasoning !== undefined && { reasoningTokens: reasoning }),
  };
}

/** The usage of a whole chat body or of a chunk; Groq has it in a place of its own too. */
export function chatUsage(body: JsonObject): Usage | undefined {
  return readUsage(body["usage"]) ?? readUsage(objectOf(body["x_groq"])["usage"]);
}

function cachedTokens(usage: JsonObject): number | undefined {
  return (
    count(objectOf(usage["prompt_tokens_details"])["cached_tokens"]) ??
    count(objectOf(usage["input_tokens_details"])["cached_tokens"]) ??
    // DeepSeek, Mistral, Together
    count(usage["prompt_cache_hit_tokens"]) ??
    count(usage["num_cached_tokens"]) ??
    count(usage["cached_tokens"])
  );
}

function reasoningTokens(usage: JsonObject): number | undefined {
  return (
    count(objectOf(usage["completion_tokens_details"])["reasoning_tokens"]) ??
    count(objectOf(usage["output_tokens_details"])["reasoning_tokens"])
  );
}

function count(value: unknown): number | undefined {
  return typeof value === "number" && Number.isFinite(value) && value >= 0 ? value : undefined;
}
