import type { ProviderFaultKind } from "./provider-faults.ts";

/** One request that the provider was sent. Times are milliseconds since the provider was made. */
export interface ProviderLogEntry {
  /** 0 for the first request. */
  readonly index: number;
  readonly at: number;
  readonly path: string;
  /** Empty where the request names none. */
  readonly model: string;
  readonly stream: boolean;
  /** `metadata.priority` of the request. */
  readonly priority: string | undefined;
  /** The status that was sent; `undefined` until one was. */
  readonly status: number | undefined;
  /** The scripted fault that was played. */
  readonly fault: ProviderFaultKind | undefined;
  /** Passed the limits and was charged. */
  readonly admitted: boolean;
  /** Tokens charged against the limit. */
  readonly charged: number;
  readonly promptTokens: number;
  /** Tokens sent, with the reasoning. */
  readonly outputTokens: number;
  /** The client went away before the end. */
  readonly aborted: boolean;
  /** `undefined` while it runs. */
  readonly endedAt: number | undefined;
}

/** The entry while the provider still writes it. */
export type OpenLogEntry = { -readonly [Key in keyof ProviderLogEntry]: ProviderLogEntry[Key] };

/** Sums over the whole life of a provider. */
export interface ProviderStats {
  readonly requests: number;
  readonly admitted: number;
  readonly byStatus: Readonly<Record<number, number>>;
  /** Replies with status 429. */
  readonly rateLimited: number;
  readonly aborted: number;
  /** Prompt and output tokens of admitted requests that have ended. */
  readonly tokensServed: number;
  readonly inFlight: number;
  readonly concurrentPeak: number;
  /** The most requests admitted within any 60 seconds. */
  readonly maxRequestsInAnyMinute: number;
  /** The most tokens charged at admission within any 60 seconds. */
  readonly maxTokensInAnyMinute: number;
}

const MINUTE_MS = 60_000;

/** What a provider remembers: the last entries, and sums over all. */
export class ProviderLog {
  readonly #size: number;
  #entries: OpenLogEntry[] = [];
  #requests = 0;
  #admitted = 0;
  #aborted = 0;
  #tokensServed = 0;
  #peak = 0;
  #byStatus: Record<number, number> = {};
  // The admissions of the last minute, oldest first from #oldest on.
  #window: { at: number; tokens: number }[] = [];
  #oldest = 0;
  #windowTokens = 0;
  #maxRequests = 0;
  #maxTokens = 0;

  constructor(size: number) {
    this.#size = size;
  }

  get entries(): readonly ProviderLogEntry[] {
    return this.#entries;
  }

  open(entry: OpenLogEntry): void {
    this.#requests++;
    this.#entries.push(entry);
    if (this.#entries.length > this.#size) this.#entries.shift();
  }

  admitted(entry: OpenLogEntry, charged: number, running: number): void {
    entry.admitted = true;
    entry.charged = charged;
    this.#admitted++;
    this.#peak = Math.max(this.#peak, running);
    this.#window.push({ at: entry.at, tokens: charged });
    this.#windowTokens += charged;
    this.#forgetUntil(entry.at - MINUTE_MS);
    this.#maxRequests = Math.max(this.#maxRequests, this.#window.length - this.#oldest);
    this.#maxTokens = Math.max(this.#maxTokens, this.#windowTokens);
  }

  replied(entry: OpenLogEntry, status: number): void {
    entry.status = status;
    this.#byStatus[status] = (this.#byStatus[status] ?? 0) + 1;
  }

  close(entry: OpenLogEntry, at: number, aborted: boolean): void {
    entry.endedAt = at;
    entry.aborted = aborted;
    if (aborted) this.#aborted++;
    if (entry.admitted) this.#tokensServed += entry.promptTokens + entry.outputTokens;
  }

  stats(inFlight: number): ProviderStats {
    return {
      requests: this.#requests,
      admitted: this.#admitted,
      byStatus: { ...this.#byStatus },
      rateLimited: this.#byStatus[429] ?? 0,
      aborted: this.#aborted,
      tokensServed: this.#tokensServed,
      inFlight,
      concurrentPeak: this.#peak,
      maxRequestsInAnyMinute: this.#maxRequests,
      maxTokensInAnyMinute: this.#maxTokens,
    };
  }

  #forgetUntil(time: number): void {
    for (let first = this.#window[this.#oldest]; first !== undefined && first.at <= time; ) {
      this.#windowTokens -= first.tokens;
      first = this.#window[++this.#oldest];
    }
    if (this.#oldest * 2 < this.#window.length) return;
    this.#window = this.#window.slice(this.#oldest);
    this.#oldest = 0;
  }
}
