import type { Chunk, TimeoutPhase } from "../../core/index.ts";

/** Limits of one attempt in milliseconds; `Infinity` switches one off. */
export interface AttemptLimits {
  readonly attempt: number;
  readonly firstToken: number;
  readonly idle: number;
  /** How long the next `speedTokens` of a stream may take. */
  readonly speed: number;
  readonly speedTokens: number;
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
 * Until the first content its limit is `firstToken`, afterwards `idle`; and from then on each next `speedTokens` tokens
 * have to come within `speed` of waiting.
 */
export class AttemptClocks {
  readonly limits: AttemptLimits;
  readonly startedAt: number;
  #streams: boolean;
  #runningSince: number | undefined;
  #waitedMs = 0;
  #contentSeen = false;
  /** Since the last `speedTokens` were complete. */
  #tokens = 0;
  #waitedForTokensMs = 0;

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

  /**
   * A chunk came. Keep-alive and other side events prove a connection, not progress: they reset nothing. Gives for the first
   * content how long it was waited for.
   */
  chunk(role: Chunk["role"], tokens: number, now: number): number | undefined {
    this.#pause(now);
    if (role !== "content" && (role === "other" || !this.#contentSeen)) return undefined;
    const first = this.#contentSeen ? undefined : this.#waitedMs;
    if (role === "content") this.#spoke(tokens);
    this.#waitedMs = 0;
    return first;
  }

  get due(): Due {
    const attemptAt = this.startedAt + this.limits.attempt;
    if (!this.#streams || this.#runningSince === undefined) return { phase: "attempt", at: attemptAt };
    const { firstToken, idle, speed } = this.limits;
    const tokenAt = this.#runningSince - this.#waitedMs + (this.#contentSeen ? idle : firstToken);
    const speedAt = this.#contentSeen ? this.#runningSince - this.#waitedForTokensMs + speed : Number.POSITIVE_INFINITY;
    if (Math.min(tokenAt, speedAt) >= attemptAt) return { phase: "attempt", at: attemptAt };
    if (speedAt < tokenAt) return { phase: "speed", at: speedAt };
    return { phase: this.#contentSeen ? "idle" : "firstToken", at: tokenAt };
  }

  #spoke(tokens: number): void {
    this.#tokens += tokens;
    if (this.#contentSeen && this.#tokens < this.limits.speedTokens) return;
    this.#contentSeen = true;
    this.#tokens = 0;
    this.#waitedForTokensMs = 0;
  }

  #pause(now: number): void {
    if (this.#runningSince === undefined) return;
    const ms = now - this.#runningSince;
    this.#waitedMs += ms;
    this.#waitedForTokensMs += ms;
    this.#runningSince = undefined;
  }
}
