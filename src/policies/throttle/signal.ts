import type { AttemptRecord, Call, Usage } from "../../core/index.ts";

/** What one good answer tells of the provider's load. */
export interface Sample {
  /** Which answers it can be compared with: below {@link BUCKETS}. */
  readonly bucket: number;
  readonly msPerToken: number;
}

const STREAM_TOKENS_MIN = 8;
const WHOLE_TOKENS_MIN = 16;

// Reading a longer prompt and writing a longer answer change a whole reply's time per token, at any load.
const INPUT_CHARS = [2_000, 16_000, 128_000];
const OUTPUT_TOKENS = [64, 256, 1_024];
const INPUT_CLASSES = INPUT_CHARS.length + 1;

export const BUCKETS = INPUT_CLASSES * (OUTPUT_TOKENS.length + 2);

/**
 * Time per output token. For a stream it is the time from the first content to the end, so the length of neither
 * prompt nor answer moves it; for a whole reply the time from sending to the end.
 * `undefined` when the answer is too short or its usage is unknown.
 */
export function sampleOf(call: Call, record: AttemptRecord, usage: Usage | undefined): Sample | undefined {
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

/** The record of the try that just ended: the last one of this pass that did, whatever other tries run beside it. */
export function lastEnded(call: Call, attemptsBefore: number): AttemptRecord | undefined {
  return call.trace.attempts.findLast(({ number, endedAt }) => number > attemptsBefore && endedAt !== undefined);
}

function classOf(value: number, bounds: readonly number[]): number {
  const index = bounds.findIndex((bound) => value < bound);
  return index === -1 ? bounds.length : index;
}

// An answer from a buffer takes no time and says nothing.
function positive(bucket: number, msPerToken: number): Sample | undefined {
  return msPerToken > 0 ? { bucket, msPerToken } : undefined;
}
