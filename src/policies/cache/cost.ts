import type { Usage } from "../../core/index.ts";

/** What is known of an answer that is to be kept. */
export interface CostFacts {
  /** The model that answered; the one that was asked for, where the answer does not say. */
  readonly model: string;
  /** As the provider reported it. */
  readonly usage: Usage | undefined;
  /** How long the provider took, in milliseconds. */
  readonly tookMs: number;
  /** Length of the answer's UTF-8 text. */
  readonly bytes: number;
}

export type CostFunction = (facts: CostFacts) => number;

// Most providers charge three to five times as much for a token of the answer as for one of the prompt.
const OUTPUT_WEIGHT = 4;
const BYTES_PER_TOKEN = 4;

function tokens({ usage, bytes }: CostFacts): number {
  return usage === undefined ? 1 + bytes / BYTES_PER_TOKEN : usage.inputTokens + OUTPUT_WEIGHT * usage.outputTokens;
}

/** What asking again would cost. A function of the user's that throws or gives no cost counts as `"tokens"`. */
export function costOf(cost: "tokens" | CostFunction, facts: CostFacts): number {
  if (cost === "tokens") return tokens(facts);
  try {
    const result = cost(facts);
    return Number.isFinite(result) && result >= 0 ? result : tokens(facts);
  } catch {
    return tokens(facts);
  }
}
