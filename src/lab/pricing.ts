/** What answers take and cost, where a trace tells only tokens. */
export interface Pricing {
  /** Dollars for a million tokens of the prompt, and of the answer. Default 0.15 and 0.6. */
  readonly input?: number | undefined;
  readonly output?: number | undefined;
}

const MILLION = 1_000_000;
// An answer of a chat completion: what is around the text, and the text.
const FRAME_BYTES = 600;
const BYTES_PER_TOKEN = 4.2;
// A usual small model: the first token, then the rest one after another.
const FIRST_TOKEN_MS = 400;
const TOKEN_MS = 15;

export function costOf(
  inputTokens: number,
  outputTokens: number,
  { input = 0.15, output = 0.6 }: Pricing = {},
): number {
  return (inputTokens * input + outputTokens * output) / MILLION;
}

export function answerBytes(outputTokens: number): number {
  return FRAME_BYTES + BYTES_PER_TOKEN * outputTokens;
}

export function answerMs(outputTokens: number): number {
  return FIRST_TOKEN_MS + TOKEN_MS * outputTokens;
}
