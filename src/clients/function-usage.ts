import type { Usage } from "../core/index.ts";

/** Tokens that a function's result reports in `usage`, by OpenAI's names or in camel case. */
export function usageOf(result: unknown): Usage | undefined {
  if (typeof result !== "object" || result === null || !("usage" in result)) return undefined;
  const { usage } = result;
  if (typeof usage !== "object" || usage === null) return undefined;
  const counts = usage as Readonly<Record<string, unknown>>;
  const inputTokens = tokens(counts["inputTokens"] ?? counts["input_tokens"] ?? counts["prompt_tokens"]);
  const outputTokens = tokens(counts["outputTokens"] ?? counts["output_tokens"] ?? counts["completion_tokens"]);
  if (inputTokens === undefined && outputTokens === undefined) return undefined;
  return { inputTokens: inputTokens ?? 0, outputTokens: outputTokens ?? 0 };
}

function tokens(count: unknown): number | undefined {
  return typeof count === "number" && Number.isFinite(count) && count >= 0 ? count : undefined;
}
