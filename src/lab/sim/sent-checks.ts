import type { BreakwaterEvent } from "../../core/index.ts";
import { durationMs } from "../../core/index.ts";
import { RATE_LIMIT_DEFAULTS, type RateLimitOptions, type RateLimits } from "../../policies/rate-limit/index.ts";
import { RETRY_DEFAULTS } from "../../policies/retry/index.ts";
import type { ProviderLogEntry } from "../../testing/index.ts";
import type { Book, Sent } from "./book.ts";
import type { Report } from "./checks.ts";
import type { CallRecord } from "./record.ts";
import type { World } from "./world.ts";

const MINUTE_MS = 60_000;
// As docs/rate-limit.md says it.
const TOKEN_SLACK = 0.02;

interface RequestLimit {
  readonly name: string;
  readonly most: number;
  /** Whether it counts requests of this kind together with `sent`. */
  counts(one: Sent, sent: Sent): boolean;
}

/** What must hold whenever a request leaves the line: limits, retry budget and circuits. */
export class SentChecks {
  readonly #world: World;
  readonly #book: Book;
  readonly #report: Report;
  readonly #limits: readonly RequestLimit[];
  readonly #coalesces: boolean;

  constructor(world: World, book: Book, report: Report) {
    this.#world = world;
    this.#book = book;
    this.#report = report;
    this.#limits = limitsOf(world);
    this.#coalesces = alwaysCoalesces(world);
  }

  check(event: BreakwaterEvent<"attempt.started">): void {
    const { sent } = this.#book;
    const last = sent.at(-1);
    if (last === undefined) return;
    for (const limit of this.#limits) this.#checkLimit(limit, last);
    this.#checkBudget(event.provider ?? "");
    this.#checkCircuit(event);
    if (this.#coalesces) this.#checkAlone(event);
  }

  /** What the answers came to is known when nothing runs any more. */
  idle(): void {
    const { rateLimit } = this.#world.scenario.optimizer;
    if (typeof rateLimit !== "object" || rateLimit.tokensPerMinute === undefined) return;
    const { exact, tokensPerMinute } = rateLimit;
    const burst = exact === true ? 0 : Math.max(burstMsOf(rateLimit) / MINUTE_MS, TOKEN_SLACK);
    const log = this.#world.provider.log.filter(({ admitted }) => admitted);
    const largest = Math.max(0, ...log.map(tokensOf));
    // One burst is let through, one may be owed to whoever waited for nothing; so may one call, and one is larger than both.
    const most = tokensPerMinute * (1 + 2 * burst) + 2 * largest;
    for (const [index, last] of log.entries()) {
      const tokens = tokensBefore(log, index);
      if (tokens <= most) continue;
      this.#report(
        "limit",
        `${tokens} tokens in the minute before ${last.at}, tokensPerMinute allows ${tokensPerMinute}`,
      );
      return;
    }
  }

  #checkLimit({ name, most, counts }: RequestLimit, last: Sent): void {
    const { sent } = this.#book;
    let count = 0;
    for (let index = sent.length - 1; index >= 0; index--) {
      const one = sent[index] as Sent;
      if (one.at <= last.at - MINUTE_MS) break;
      if (counts(one, last)) count++;
    }
    if (count > most) this.#report("limit", `${count} requests within a minute, ${name} allows ${most}`);
  }

  #checkBudget(provider: string): void {
    const { retry } = this.#world.scenario.optimizer;
    const budget = typeof retry === "object" ? (retry.budget ?? RETRY_DEFAULTS.budget) : RETRY_DEFAULTS.budget;
    if (budget === false) return;
    const { capacity, refillPerSuccess } = { ...RETRY_DEFAULTS.budget, ...budget };
    const spent = this.#book.retryCost.get(provider) ?? 0;
    const most = capacity + refillPerSuccess * (this.#book.successes.get(provider) ?? 0);
    if (spent > most + 1e-6) this.#report("retry-budget", `retries at ${provider} have cost ${spent} of ${most}`);
  }

  // A call that had passed the circuit before it opened may still wait for its turn further in.
  #checkCircuit({ provider, model, callId = "", kind }: BreakwaterEvent<"attempt.started">): void {
    const open = this.#book.open.get(`${provider}/${model}`);
    const call = this.#book.calls.get(callId);
    if (open === undefined || call === undefined || kind !== "first") return;
    if (call.startedAt > open.from && this.#world.clock.now() < open.until) {
      this.#report("breaker", `a request to ${model} was sent while its circuit was open`);
    }
  }

  #checkAlone({ callId = "" }: BreakwaterEvent<"attempt.started">): void {
    const own = this.#book.calls.get(callId)?.record;
    if (own === undefined || goesAlone(own)) return;
    const question = questionOf(own);
    for (const [id, { record, running }] of this.#book.calls) {
      if (id === callId || running === 0 || record === undefined || goesAlone(record)) continue;
      if (questionOf(record) === question) this.#report("coalesce", `${question} is asked twice at once`);
    }
  }
}

/** Tokens of the requests of a minute that were over when the one at `index` came, which is the last of that minute. */
function tokensBefore(log: readonly ProviderLogEntry[], index: number): number {
  const until = log[index]?.at ?? 0;
  let tokens = 0;
  for (let earlier = index - 1; earlier >= 0; earlier--) {
    const entry = log[earlier] as ProviderLogEntry;
    if (entry.at <= until - MINUTE_MS) break;
    if (entry.endedAt !== undefined && entry.endedAt < until) tokens += tokensOf(entry);
  }
  return tokens;
}

function tokensOf({ promptTokens, outputTokens }: ProviderLogEntry): number {
  return promptTokens + outputTokens;
}

function burstMsOf({ burst = RATE_LIMIT_DEFAULTS.burst }: RateLimitOptions): number {
  return durationMs("rateLimit.burst", burst);
}

function goesAlone({ action }: CallRecord): boolean {
  return action.scope.cache !== undefined || action.takesBack === true;
}

function questionOf({ action }: CallRecord): string {
  const { via, model, stream, question, scope } = action;
  return [via, model, stream ? "stream" : "whole", question, scope.client ?? ""].join("/");
}

/** Whether there is nothing in the scenario that asks the same question anew on purpose. */
function alwaysCoalesces({ scenario }: World): boolean {
  const { cache, coalesce } = scenario.optimizer;
  if (coalesce !== undefined && coalesce !== true) return false;
  if (scenario.actions.some(({ kind }) => kind === "invalidate")) return false;
  if (typeof cache !== "object") return cache === false;
  const { staleWhileRevalidate = 0, earlyRefresh = 0, variants = 1 } = cache;
  return staleWhileRevalidate === 0 && earlyRefresh === 0 && variants === 1;
}

function limitsOf({ scenario }: World): RequestLimit[] {
  const { rateLimit } = scenario.optimizer;
  if (typeof rateLimit !== "object" || rateLimit.limiter !== undefined) return [];
  const burstMs = burstMsOf(rateLimit);
  const most = (limits: RateLimits | undefined): number => {
    const perMinute = limits?.requestsPerMinute ?? Number.POSITIVE_INFINITY;
    return rateLimit.exact === true ? perMinute : Math.max(1, Math.floor(perMinute * (1 + burstMs / MINUTE_MS) + 1e-9));
  };
  const limits: RequestLimit[] = [
    { name: "requestsPerMinute", most: most(rateLimit), counts: () => true },
    { name: "perModel", most: most(rateLimit.perModel), counts: (one, sent) => one.model === sent.model },
    {
      name: "perClient",
      most: most(rateLimit.perClient),
      counts: (one, sent) => sent.client !== undefined && one.client === sent.client,
    },
  ];
  return limits.filter((limit) => limit.most < Number.POSITIVE_INFINITY);
}
