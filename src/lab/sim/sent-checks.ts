import type { BreakwaterEvent } from "../../core/index.ts";
import { durationMs } from "../../core/index.ts";
import type { RateLimits } from "../../policies/rate-limit/index.ts";
import { RATE_LIMIT_DEFAULTS } from "../../policies/rate-limit/index.ts";
import { RETRY_DEFAULTS } from "../../policies/retry/index.ts";
import type { Book, Sent } from "./book.ts";
import type { Report } from "./checks.ts";
import type { CallRecord } from "./record.ts";
import type { World } from "./world.ts";

const MINUTE_MS = 60_000;

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
    if (own === undefined || own.action.scope.cache !== undefined) return;
    const question = questionOf(own);
    for (const [id, { record, running }] of this.#book.calls) {
      if (id === callId || running === 0 || record === undefined || record.action.scope.cache !== undefined) continue;
      if (questionOf(record) === question) this.#report("coalesce", `${question} is asked twice at once`);
    }
  }
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
  const burstMs = durationMs("rateLimit.burst", rateLimit.burst ?? RATE_LIMIT_DEFAULTS.burst);
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
