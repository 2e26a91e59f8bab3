import type { FaultKind } from "../core/index.ts";
import type { CallFacts, Kind, UncachedReason } from "./facts.ts";

/** What the tally of a call is, beside what is known of the call itself. */
export interface Judgement {
  /** The time over the bound that nothing else explains; 0 unless the call was slow. */
  readonly slowExcessMs: number;
  /** It was asked before, and was not answered from the cache. */
  readonly isRepeat: boolean;
  /** Input tokens of the part of the prompt that was looked at. */
  readonly readTokens: number;
  /** Those of them that the provider's prompt cache would have served in another order. */
  readonly reorderableTokens: number;
}

const PARTS = ["queue", "throttle", "rateLimit", "provider"] as const;
export type SlowPart = (typeof PARTS)[number];

/** Sums of the calls of one kind. Two of them merge without loss. */
export class Group implements Kind {
  readonly provider: string | undefined;
  readonly model: string | undefined;
  readonly route: string | undefined;
  readonly template: string | undefined;
  calls = 0;
  durationMs = 0;
  inputTokens = 0;
  cachedInputTokens = 0;
  outputTokens = 0;
  /** Calls whose cost is known, and what they cost. */
  priced = 0;
  cost = 0;
  slow = 0;
  slowExcessMs = 0;
  /** Where slow calls spent their time. */
  readonly slowMs: Record<SlowPart, number> = { queue: 0, throttle: 0, rateLimit: 0, provider: 0 };
  upstream = 0;
  repeats = 0;
  repeatMs = 0;
  repeatCost = 0;
  readonly uncached = new Map<UncachedReason, number>();
  readTokens = 0;
  reorderable = 0;
  reorderableTokens = 0;
  reorderableCost = 0;
  timedOut = 0;
  timeouts = 0;
  timeoutMs = 0;
  retried = 0;
  retries = 0;
  retryMs = 0;
  readonly failures = new Map<FaultKind, number>();

  constructor({ provider, model, route, template }: Kind) {
    this.provider = provider;
    this.model = model;
    this.route = route;
    this.template = template;
  }

  add(call: CallFacts, judgement: Judgement): void {
    this.calls++;
    this.durationMs += call.durationMs;
    this.#addTokens(call);
    if (call.isUpstream) this.upstream++;
    this.readTokens += judgement.readTokens;
    if (judgement.slowExcessMs > 0) this.#addSlow(call, judgement.slowExcessMs);
    if (judgement.isRepeat) this.#addRepeat(call);
    if (judgement.reorderableTokens > 0) this.#addReorderable(call, judgement.reorderableTokens);
    if (call.timeouts > 0) {
      this.timedOut++;
      this.timeouts += call.timeouts;
      this.timeoutMs += Math.min(call.timeoutMs, call.durationMs);
    }
    if (call.retries > 0) {
      this.retried++;
      this.retries += call.retries;
      this.retryMs += call.failedMs + call.waits.backoff;
      if (call.failure !== undefined) increase(this.failures, call.failure, 1);
    }
  }

  merge(other: Group): void {
    this.calls += other.calls;
    this.durationMs += other.durationMs;
    this.inputTokens += other.inputTokens;
    this.cachedInputTokens += other.cachedInputTokens;
    this.outputTokens += other.outputTokens;
    this.priced += other.priced;
    this.cost += other.cost;
    this.slow += other.slow;
    this.slowExcessMs += other.slowExcessMs;
    for (const part of PARTS) this.slowMs[part] += other.slowMs[part];
    this.upstream += other.upstream;
    this.repeats += other.repeats;
    this.repeatMs += other.repeatMs;
    this.repeatCost += other.repeatCost;
    for (const [reason, count] of other.uncached) increase(this.uncached, reason, count);
    this.readTokens += other.readTokens;
    this.reorderable += other.reorderable;
    this.reorderableTokens += other.reorderableTokens;
    this.reorderableCost += other.reorderableCost;
    this.timedOut += other.timedOut;
    this.timeouts += other.timeouts;
    this.timeoutMs += other.timeoutMs;
    this.retried += other.retried;
    this.retries += other.retries;
    this.retryMs += other.retryMs;
    for (const [failure, count] of other.failures) increase(this.failures, failure, count);
  }

  #addTokens({ usage, cost, isUpstream }: CallFacts): void {
    if (usage !== undefined && isUpstream) {
      this.inputTokens += usage.inputTokens;
      this.cachedInputTokens += usage.cachedInputTokens ?? 0;
      this.outputTokens += usage.outputTokens;
    }
    if (cost === undefined) return;
    this.priced++;
    this.cost += cost;
  }

  #addSlow(
    { durationMs, waits: { queue, throttle, rateLimit, backoff }, timeoutMs, failedMs }: CallFacts,
    excess: number,
  ): void {
    this.slow++;
    this.slowExcessMs += excess;
    this.slowMs.queue += queue;
    this.slowMs.throttle += throttle;
    this.slowMs.rateLimit += rateLimit;
    const elsewhere = queue + throttle + rateLimit + backoff + timeoutMs + failedMs;
    this.slowMs.provider += Math.max(0, durationMs - elsewhere);
  }

  #addRepeat({ durationMs, cost = 0, uncached }: CallFacts): void {
    this.repeats++;
    this.repeatMs += durationMs;
    this.repeatCost += cost;
    increase(this.uncached, uncached, 1);
  }

  #addReorderable({ price }: CallFacts, tokens: number): void {
    this.reorderable++;
    this.reorderableTokens += tokens;
    if (price !== undefined) {
      this.reorderableCost += (tokens * (price.input - (price.cachedInput ?? price.input))) / 1_000_000;
    }
  }
}

const REASONS_MAX = 32;

function increase<K>(counts: Map<K, number>, key: K, by: number): void {
  const count = counts.get(key);
  if (count !== undefined || counts.size < REASONS_MAX) counts.set(key, (count ?? 0) + by);
}

/** What most are; `undefined` when there are none. */
export function mostOf<K>(counts: Iterable<readonly [K, number]>): K | undefined {
  let most: K | undefined;
  let highest = 0;
  for (const [key, count] of counts) {
    if (count <= highest) continue;
    most = key;
    highest = count;
  }
  return most;
}
