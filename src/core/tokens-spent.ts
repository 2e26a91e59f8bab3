import type { Certainty } from "./ledger.ts";
import type { Settlement, Usage } from "./reply.ts";

/** How an attempt ended, as far as what it took is concerned. */
export interface Ending extends Pick<Settlement, "fault" | "usage"> {
  /** How many chunks of a reply came; `undefined` without one. */
  readonly chunks: number | undefined;
}

export interface TokensSpent extends Usage {
  readonly certainty: Certainty;
}

/**
 * What an attempt took: the provider's own count, where there is one. Without it, a whole answer took what was expected
 * of it; one that stopped early, or that we stopped waiting for, its input and about a token for each chunk that came;
 * a request that the provider turned down, or that never left, nothing.
 */
export function tokensSpent(
  { fault, usage, chunks }: Ending,
  inputExpected: number,
  outputExpected: number,
): TokensSpent {
  if (usage !== undefined) return { ...usage, certainty: fault === undefined ? "exact" : "atLeast" };
  const spent = { inputTokens: inputExpected, outputTokens: outputExpected };
  if (fault === undefined) return { ...spent, certainty: "estimated" };
  const came = chunks ?? 0;
  const cutByUs =
    fault.kind === "aborted" || fault.kind === "timeout" || (fault.kind === "refused" && chunks !== undefined);
  const begun = came > 0 || cutByUs || fault.kind === "interrupted";
  if (!begun) return { inputTokens: 0, outputTokens: 0, certainty: "exact" };
  return { ...spent, outputTokens: Math.min(outputExpected, came), certainty: "atLeast" };
}

/** The tokens of two answers together. What neither tells stays untold. */
export function sumOfUsage(a: Usage, b: Usage): Usage {
  const cached = optionalSum(a.cachedInputTokens, b.cachedInputTokens);
  const reasoning = optionalSum(a.reasoningTokens, b.reasoningTokens);
  return {
    inputTokens: a.inputTokens + b.inputTokens,
    outputTokens: a.outputTokens + b.outputTokens,
    ...(cached !== undefined && { cachedInputTokens: cached }),
    ...(reasoning !== undefined && { reasoningTokens: reasoning }),
  };
}

function optionalSum(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined && b === undefined ? undefined : (a ?? 0) + (b ?? 0);
}
