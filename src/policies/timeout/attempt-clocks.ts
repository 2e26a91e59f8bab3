import type { Chunk, TimeoutPhase } from "../../core/index.ts";

/** Limits of one attempt in milliseconds; `Infinity` switches one off. */
export interface AttemptLimits {
  readonly attempt: number;
  readonly firstToken: number;
  readonly idle: number;
}

/** Which limit is reached next, and when. */
export interface Due {
  readonly phase: TimeoutPhase;
  readonly at: number;
}

/**
 * When an attempt is too slow; pure bookkeeping, every method is told the time.
 *
 * `attempt` runs from the start to the end of the body. The token clock runs while the provider is waited for: before
 * the head, and then only while a consumer waits for a chunk, so that a slow reader is not the provider's fault.
 * Until the first content its limit is `firstToken`, afterwards `idle`.
 */
export class AttemptClocks {
  readonly limits: AttemptLimits;
  readonly startedAt: number;
  #streams: boolean;
  #runningSince: number | undefined;
  #waitedMs = 0;
  #contentSeen = false;

  constructor(limits: AttemptLimits, startedAt: number, streams: boolean) {
    this.limits = limits;
    this.startedAt = startedAt;
    this.#streams = streams;
    this.#runningSince = startedAt;
  }

  /** The head of a stream is here; its body is not waited for until somebody pulls. */
  streamBegan(now: number): void {
    this.#streams = true;
    this.#pause(now);
  }

  pulled(now: number): void {
    this.#runningSince ??= now;
  }

  /** A chunk came. Keep-alive and other side events prove a connection, not progress: they reset nothing. */
  chunk(role: Chunk["role"], now: number): void {
    this.#pause(now);
    if (role === "content" || (this.#contentSeen && role !== "other")) {
      this.#contentSeen = true;
      this.#waitedMs = 0;
    }
  }

  get due(): Due {
    const attemptAt = this.startedAt + this.limits.attempt;
    const tokenAt = this.#tokenDueAt();
    if (tokenAt >= attemptAt) return { phase: "attempt", at: attemptAt };
    return { phase: this.#contentSeen ? "idle" : "firstToken", at: tokenAt };
  }

  #tokenDueAt(): number {
    if (!this.#streams || this.#runningSince === undefined) return Number.POSITIVE_INFINITY;
    return this.#runningSince - this.#waitedMs + (this.#contentSeen ? this.limits.idle : this.limits.firstToken);
  }

  #pause(now: number): void {
    if (this.#runningSince === undefined) return;
    this.#waitedMs += now - this.#runningSince;
    this.#runningSince = undefined;
  }
}
