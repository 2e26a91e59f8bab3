import type { Call } from "./call.ts";
import type { Usage } from "./reply.ts";

// A token that is written takes far longer than one that is read. The weights of Sheng et al., OSDI 2024.
const INPUT_WEIGHT = 1;
const OUTPUT_WEIGHT = 2;

const CHARS_PER_TOKEN = 4;
const OUTPUT_TOKENS_MAX = 256;

/** What a call is expected to cost its tenant, where tenants share; what is wrong with it is learned from what calls really cost. */
export function expectedServiceCost({ inputChars, maxOutputTokens }: Call): number {
  const outputTokens = Math.min(maxOutputTokens ?? OUTPUT_TOKENS_MAX, OUTPUT_TOKENS_MAX);
  return serviceCost({ inputTokens: inputChars / CHARS_PER_TOKEN, outputTokens });
}

/** What serving a call has cost, in weighted tokens. At least 1, so that what costs nothing is shared by its number. */
export function serviceCost({ inputTokens, outputTokens }: Usage): number {
  return Math.max(1, inputTokens * INPUT_WEIGHT + outputTokens * OUTPUT_WEIGHT);
}
