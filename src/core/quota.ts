/** What a quota counts. `tokens` are input and output tokens together. */
export type QuotaUnit = "requests" | "tokens" | "inputTokens" | "outputTokens";

/** So much of each unit. */
export type QuotaAmounts = Readonly<Record<QuotaUnit, number>>;

/** One limit of a key: so many units in any window of `windowMs`. */
export interface QuotaLimit {
  readonly unit: QuotaUnit;
  readonly windowMs: number;
  readonly limit: number;
}

/** What a share calls back. Neither may throw. */
export interface QuotaHolder {
  /** What is held here has grown, or may be used sooner than was told: those who wait are looked at again. */
  widened(): void;
  /** What waits here now, so that the share can ask ahead for it. Cheap; called while a share is refilled. */
  waiting(): QuotaAmounts;
}

/**
 * This process's part of the quota of one key. All of it is synchronous and decides on what is held here already;
 * getting more is the share's own business, in the background and ahead of need. All limits of a key are taken
 * together. Times are the clock's.
 */
export interface QuotaShare {
  /**
   * Milliseconds until `amounts` may be taken, 0 now. `Infinity`: not known yet; `widened` will tell. An amount larger
   * than a limit can ever hold counts as one that fits when nothing else is held or taken, so that nothing waits for ever.
   */
  delay(amounts: QuotaAmounts, now: number): number;
  /** Takes what `delay` let pass. */
  take(amounts: QuotaAmounts, now: number): void;
  /** Corrects what was taken at `takenAt`: from an estimate to what was really used. */
  correct(estimate: QuotaAmounts, used: QuotaAmounts, takenAt: number, now: number): void;
  /** Other limits from now on; those of a provider as it tells them, the latest of all processes counts. */
  setLimits(limits: readonly QuotaLimit[], now: number): void;
  /** Gives back what is held. No call comes after it. */
  close(): void;
}

/** Quotas that several processes draw from together, and the gates they share. */
export interface SharedQuotas {
  /**
   * This process's share of `key`. Every process names the key alike: rank and name, such as `global`,
   * `model/gpt-5` or `target/openai/gpt-5/k_1a2b`. `limits` may be empty until a provider tells some.
   */
  share(key: string, limits: readonly QuotaLimit[], holder: QuotaHolder): QuotaShare;
  /** A provider said "not before" to this process: tells the others. */
  closeGate(key: string, forMs: number): void;
  /** Tells of gates that others have closed, and of those that were closed before this process came. */
  onGate(listener: (key: string, forMs: number) => void): () => void;
  /** Tells of limits that a provider has told to others. */
  onLimits(listener: (key: string, limits: readonly QuotaLimit[]) => void): () => void;
}
