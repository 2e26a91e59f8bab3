import type { FaultKind, ModelPrice, PromptPiece, Usage, Waits } from "../core/index.ts";

/** What calls are put together by. What is not known, or too rare to be kept apart, is absent. */
export interface Kind {
  readonly provider: string | undefined;
  readonly model: string | undefined;
  readonly route: string | undefined;
  /** One-way name of the prompt template. */
  readonly template: string | undefined;
}

/** Why an answer that was given before was not in the cache: a reason of `cache.miss` or `cache.bypassed`, or `off`. */
export type UncachedReason = string;

/** What is known of one call that has ended. Times are milliseconds. */
export interface CallFacts extends Kind {
  /** When it ended, by one clock for all calls. */
  readonly at: number;
  /** One-way name of the question. */
  readonly question: string | undefined;
  readonly durationMs: number;
  readonly waits: Waits;
  readonly attempts: number;
  /** Whether the provider gave the answer. */
  readonly isUpstream: boolean;
  readonly uncached: UncachedReason;
  readonly usage: Usage | undefined;
  readonly price: ModelPrice | undefined;
  /** What it cost in US dollars, where that is known. */
  readonly cost: number | undefined;
  readonly timeouts: number;
  readonly timeoutMs: number;
  /** Tries again after a failure that was no timeout. */
  readonly retries: number;
  /** Time of the tries that failed so. */
  readonly failedMs: number;
  readonly failure: FaultKind | undefined;
  readonly inputChars: number;
  readonly pieces: readonly PromptPiece[];
}

/** A run of a function that is measured. */
export interface FunctionFacts {
  readonly at: number;
  readonly name: string;
  readonly durationMs: number;
}
