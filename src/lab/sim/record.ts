import type { AskAction } from "./scenario.ts";

export type CallerEnd = "answered" | "failed" | "aborted" | "left";

/** What one caller wanted, and what became of it. Times are the clock's. */
export interface CallRecord {
  readonly action: AskAction;
  readonly ordinal: number;
  readonly startedAt: number;
  /** The latest that the line may be busy with it. */
  readonly deadlineAt: number;
  /** The whole answers to its question: of its own model, and of one it may fall back on. */
  readonly expected: readonly string[];
  readonly controller: AbortController;
  abortedAt: number | undefined;
  endedAt: number | undefined;
  end: CallerEnd | undefined;
  /** What it was given of the answer. */
  text: string;
  /** The beginning of an event whose rest has not come. */
  unread: string;
  /** As the answer says it; `undefined` where it did not come so far. */
  finishReason: string | undefined;
}
