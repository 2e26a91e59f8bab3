import type { Usage } from "../core/index.ts";

type Counts = Readonly<Record<string, unknown>>;

/**
 * Tokens that a function's result reports in `usage`, in camel case or by the names of OpenAI's chat completions and
 * responses; cached input and reasoning beside them or in the details that those APIs have for them.
 */
export function usageOf(result: unknown): Usage | undefined {
  const counts = isRecord(result) ? result["usage"] : undefined;
  if (!isRecord(counts)) return undefined;
  const inputTokens = firstOf(counts, "inputTokens", "input_tokens", "prompt_tokens");
  const outputTokens = firstOf(counts, "outputTokens", "output_tokens", "completion_tokens");
  if (inputTokens === undefined && outputTokens === undefined) return undefined;
  const cachedInputTokens =
    firstOf(counts, "cachedInputTokens") ??
    detailOf(counts, "cached_tokens", "input_tokens_details", "prompt_tokens_details");
  const reasoningTokens =
    firstOf(counts, "reasoningTokens") ??
    detailOf(counts, "reasoning_tokens", "output_tokens_details", "completion_tokens_details");
  return {
    inputTokens: inputTokens ?? 0,
    outputTokens: outputTokens ?? 0,
    ...(cachedInputTokens !== undefined && { cachedInputTokens }),
    ...(reasoningTokens !== undefined && { reasoningTokens }),
  };
}

function firstOf(counts: Counts, ...names: readonly string[]): number | undefined {
  const count = counts[names.find((name) => counts[name] !== undefined) ?? ""];
  return typeof count === "number" && Number.isFinite(count) && count >= 0 ? count : undefined;
}

function detailOf(counts: Counts, name: string, ...details: readonly string[]): number | undefined {
  const inside = details.map((detail) => counts[detail]).find(isRecord);
  return inside === undefined ? undefined : firstOf(inside, name);
}

function isRecord(value: unknown): value is Counts {
  return typeof value === "object" && value !== null;
}
