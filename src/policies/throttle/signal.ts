import type { AttemptRecord, Call, Usage } from "../../core/index.ts";

/** One measurement of how long something took. */
export interface Sample {
  /** Which measurements it can be compared with. */
  readonly bucket: number;
  readonly ms: number;
}

const STREAM_TOKENS_MIN = 8;
const WHOLE_TOKENS_MIN = 16;

// Reading a longer prompt and writing a longer answer change a whole reply's time per token, at any load.
const INPUT_CHARS = [2_000, 16_000, 128_000];
const OUTPUT_TOKENS = [64, 256, 1_024];
const INPUT_CLASSES = INPUT_CHARS.length + 1;
// Sizes of one class differ by a factor of four at most; the last takes whatever is longer.
const READ_CLASSES = 12;

export const TOKEN_BUCKETS = INPUT_CLASSES * (OUTPUT_TOKENS.length + 2);
export const FIRST_TOKEN_BUCKETS = READ_CLASSES;

/**
 * Time per output token, which tells how busy the provider is with writing: for a stream the time from the first content
 * to the end, so the length of neither prompt nor answer moves it; for a whole reply the time from sending to the end.
 * `undefined` when the answer is too short or its usage is unknown.
 */
export function tokenSample(call: Call, record: AttemptRecord, usage: Usage | undefined): Sample | undefined {
  const { sentAt, firstContentAt, endedAt } = record;
  if (usage === undefined || endedAt === undefined) return undefined;
  const { outputTokens } = usage;
  const inputClass = classOf(call.inputChars, INPUT_CHARS);
  if (firstContentAt !== undefined) {
    if (outputTokens < STREAM_TOKENS_MIN) return undefined;
    return positive(inputClass, (endedAt - firstContentAt) / outputTokens);
  }
  const outputClass = classOf(outputTokens, OUTPUT_TOKENS);
  const bucket = INPUT_CLASSES * (1 + outputClass) + inputClass;
  return positive(bucket, (endedAt - sentAt) / Math.max(outputTokens, WHOLE_TOKENS_MIN));
}

/**
 * Time to the first content of a stream, compared by the length of the prompt: how busy the provider is with reading, or
 * how long calls queue there before it begins. `undefined` as long as there is none.
 */
export function firstTokenSample({ inputChars }: Call, { sentAt, firstContentAt }: AttemptRecord): Sample | undefined {
  if (firstContentAt === undefined) return undefined;
  return positive(Math.min(READ_CLASSES - 1, Math.floor(Math.log2(inputChars + 1) / 2)), firstContentAt - sentAt);
}

/** The record of the request that this pass has sent: the first one after it began, whatever other tries run beside it. */
export function sentAfter({ trace }: Call, attemptsBefore: number): AttemptRecord | undefined {
  return trace.attempts.find(({ number }) => number > attemptsBefore);
}

function classOf(value: number, bounds: readonly number[]): number {
  const index = bounds.findIndex((bound) => value < bound);
  return index === -1 ? bounds.length : index;
}

// An answer from a buffer takes no time and says nothing.
function positive(bucket: number, ms: number): Sample | undefined {
  return ms > 0 ? { bucket, ms } : undefined;
}
