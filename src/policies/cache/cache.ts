import {
  aborted,
  blamesProvider,
  type Call,
  type Entry,
  type Fault,
  type Fingerprint,
  type Next,
  NO_DIRECTIVES,
  NotCachedError,
  type Outcome,
  type Reply,
  type Runtime,
  refusal,
} from "../../core/index.ts";
import { Asking } from "./asking.ts";
import { answerBatch, batchOf } from "./batch.ts";
import { CacheCounts } from "./counts.ts";
import { type Limits, limitsAfter, limitsAfterError, limitsOf, refreshesEarly } from "./freshness.ts";
import type { Invalidations } from "./invalidations.ts";
import { Keeper } from "./keeper.ts";
import type { Visit } from "./key-lease.ts";
import { Leases } from "./leases.ts";
import { isDeterministic, Negatives } from "./negatives.ts";
import type { CacheSettings } from "./options.ts";
import { questionOf, varied } from "./question.ts";
import { Refreshes, type RefreshReason } from "./refreshes.ts";
import { type Hit, Search } from "./search.ts";
import type { Tiers } from "./tiers.ts";

/** The way of a call through the cache. */
export class Cache {
  readonly counts = new CacheCounts();
  readonly negatives: Negatives;
  readonly refreshes: Refreshes;
  readonly leases: Leases;
  closed = false;
  #settings: CacheSettings;
  /** Those of a call that asks for nothing in particular. */
  #limits: Limits;
  readonly #asking = new Asking();
  readonly #keeper: Keeper;
  readonly #tiers: Tiers;
  readonly #invalidations: Invalidations;
  readonly #runtime: Runtime;

  constructor(settings: CacheSettings, tiers: Tiers, invalidations: Invalidations, runtime: Runtime) {
    this.#settings = settings;
    this.#limits = limitsOf("default", NO_DIRECTIVES, settings);
    this.#tiers = tiers;
    this.#invalidations = invalidations;
    this.#runtime = runtime;
    this.#keeper = new Keeper(this, tiers, invalidations, runtime);
    this.negatives = new Negatives(runtime.clock);
    this.leases = new Leases(tiers, () => this.#settings, runtime);
    this.refreshes = new Refreshes(this.counts, runtime);
  }

  get settings(): CacheSettings {
    return this.#settings;
  }

  set settings(settings: CacheSettings) {
    this.#settings = settings;
    this.#limits = limitsOf("default", NO_DIRECTIVES, settings);
  }

  handle(given: Call, next: Next): Promise<Outcome> {
    const batch = this.closed ? undefined : batchOf(given, this.#settings);
    if (batch === undefined) return this.#handleOne(given, next);
    return answerBatch(given, batch, (part, ask) => this.#handleOne(part, ask, true), next, this.#runtime);
  }

  #handleOne(given: Call, next: Next, isPart = false): Promise<Outcome> {
    const call = varied(given, this.#settings, this.#runtime.random);
    const question = this.closed ? "closed" : questionOf(call, this.#settings);
    if (typeof question === "string") return this.#bypass(call, next, question);
    call.trace.cacheKey = question.key;
    const search = this.#searchFor(call, question);
    search.isPart = isPart;
    if (call.scope.cache === "refresh") {
      search.reason = "refresh";
      const prepared = this.#tiers.prepare(search);
      return prepared === undefined ? this.#ask(search, next) : this.#askAfter(prepared, search, next);
    }
    const hit = this.#tiers.find(search);
    if (hit instanceof Promise) return this.#answerAfter(hit, search, next);
    return hit === undefined ? this.#ask(search, next) : Promise.resolve(this.#answer(search, hit, next));
  }

  #searchFor(call: Call, question: Fingerprint): Search {
    const { cache, directives } = call.scope;
    const usual = cache === "default" && directives === NO_DIRECTIVES;
    const limits = usual ? this.#limits : limitsOf(cache, directives, this.#settings);
    return new Search(call, question, this.#invalidations, limits);
  }

  #bypass(call: Call, next: Next, reason: string): Promise<Outcome> {
    this.counts.bypassed++;
    const { clock, events } = this.#runtime;
    call.trace.step(clock.now(), "cache", "bypassed", undefined, reason);
    if (events.wants("cache.bypassed")) events.emit("cache.bypassed", call, { reason });
    return call.scope.cache === "only-if-cached" ? Promise.resolve(notCached()) : next(this.#trusting(call));
  }

  async #answerAfter(looking: Promise<Hit | undefined>, search: Search, next: Next): Promise<Outcome> {
    const startedAt = this.#runtime.clock.now();
    const hit = await looking;
    const { cancellation } = search.call;
    if (cancellation.cancelled) return aborted(cancellation.reason);
    return hit === undefined ? this.#ask(search, next, startedAt) : this.#answer(search, hit, next, startedAt);
  }

  async #askAfter(prepared: Promise<unknown>, search: Search, next: Next): Promise<Outcome> {
    const startedAt = this.#runtime.clock.now();
    await prepared;
    const { cancellation } = search.call;
    return cancellation.cancelled ? aborted(cancellation.reason) : this.#ask(search, next, startedAt);
  }

  #answer(search: Search, hit: Hit, next: Next, startedAt?: number): Reply {
    const leftMs = hit.entry.freshUntil - this.#runtime.clock.wall();
    if (leftMs <= 0 || this.#settings.earlyRefresh > 0) this.#revalidate(search, hit.entry, leftMs, next);
    return this.#give(search, hit, startedAt);
  }

  #give({ call }: Search, { tier, reply, entry }: Hit, startedAt?: number): Reply {
    const { clock, events } = this.#runtime;
    const [now, wall] = [clock.now(), clock.wall()];
    const stale = entry.freshUntil <= wall;
    if (stale) this.counts.staleHits++;
    call.trace.tier = tier;
    call.trace.step(now, "cache", stale ? "stale" : "hit", startedAt === undefined ? undefined : now - startedAt, tier);
    if (events.wants("cache.hit")) {
      const ageMs = Math.max(0, wall - entry.createdAt);
      const bytes = Buffer.byteLength(entry.answer.text);
      events.emit("cache.hit", call, { tier, ageMs, ttlMs: entry.freshUntil - wall, stale, bytes });
    }
    return reply;
  }

  /** Begins to replace an entry behind the call that it answers, when it is time to. */
  #revalidate({ call, fingerprint, limits }: Search, entry: Entry, leftMs: number, next: Next): void {
    if (call.scope.cache !== "default") return;
    let reason: RefreshReason;
    if (leftMs > 0) {
      const { earlyRefresh } = this.#settings;
      if (!refreshesEarly(earlyRefresh, entry.tookMs, leftMs, this.#runtime.random)) return;
      reason = "early";
    } else {
      if (-leftMs >= limits.revalidateMs) return;
      reason = "stale";
    }
    this.refreshes.begin(fingerprint.key, call, reason, async (own) => {
      const search = new Search(own, fingerprint, this.#invalidations, limitsAfter(entry));
      const visit = await this.leases.tryEnter(search);
      if (visit === undefined) return undefined;
      if ((await this.#tiers.find(search)) === undefined) return this.#fetch(search, next, visit);
      visit.leave();
      return undefined;
    });
  }

  async #ask(search: Search, next: Next, startedAt?: number): Promise<Outcome> {
    const { call, reason, fingerprint } = search;
    const { clock, events } = this.#runtime;
    // Whoever asks now would wait for the same failure.
    if (search.outdated && this.refreshes.hasFailed(fingerprint.key)) {
      const stale = await this.#findAfterError(search);
      if (stale !== undefined) return this.#give(search, stale, startedAt);
    }
    const negative = reason === "refresh" ? undefined : this.negatives.get(fingerprint);
    if (negative !== undefined) return this.#refuseAgain(call, negative);
    const visit = call.scope.cache === "default" && !search.isPart ? this.leases.enter(search) : undefined;
    const instead = visit === undefined ? undefined : await this.#afterTurn(visit, search, startedAt);
    if (instead !== undefined) return instead;
    this.counts.misses[reason]++;
    const now = clock.now();
    call.trace.step(now, "cache", "miss", startedAt === undefined ? undefined : now - startedAt, reason);
    if (events.wants("cache.miss")) events.emit("cache.miss", call, { reason });
    if (call.scope.cache === "only-if-cached") return notCached();
    const outcome = await this.#fetch(search, next, visit);
    return outcome.ok ? outcome : this.#afterError(search, outcome);
  }

  /** What a call gets that has waited for its turn to ask; `undefined` when it is to ask now. */
  async #afterTurn(visit: Visit, search: Search, startedAt: number | undefined): Promise<Outcome | undefined> {
    const { cancellation } = search.call;
    const hit = (await visit.turn) === "look" ? await this.#tiers.find(search) : undefined;
    if (hit === undefined && !cancellation.cancelled) return undefined;
    const outcome = hit === undefined ? aborted(cancellation.reason) : this.#give(search, hit, startedAt);
    visit.leave(outcome.ok ? undefined : outcome);
    return outcome;
  }

  /** Asks the rest of the line, and arranges that the answer is kept. */
  async #fetch(search: Search, next: Next, visit?: Visit): Promise<Outcome> {
    const { call, fingerprint } = search;
    const group = this.#asking.begin(search);
    const at = this.#runtime.clock.now();
    const outcome = await next(this.#trusting(group.epoch === 0 ? call : call.with({ epoch: group.epoch })));
    if (outcome.ok) {
      this.negatives.delete(fingerprint.key);
      this.#keeper.watch({ search, group, at }, outcome);
      outcome.settled.subscribe(({ fault }) => {
        this.#asking.end(group);
        visit?.leave(fault);
      });
    } else {
      this.#asking.end(group);
      visit?.leave(outcome);
    }
    return outcome;
  }

  /** The call for the policies within: what they keep may have been invalidated elsewhere, too. */
  #trusting(call: Call): Call {
    const { ageLimitMs } = this.#tiers.watch;
    if (ageLimitMs === Number.POSITIVE_INFINITY) return call;
    const { directives } = call.scope;
    const maxAgeMs = Math.min(ageLimitMs, directives.maxAgeMs ?? Number.POSITIVE_INFINITY);
    return call.with({ scope: { ...call.scope, directives: { ...directives, maxAgeMs } } });
  }

  async #afterError(search: Search, fault: Fault): Promise<Outcome> {
    const { call, fingerprint } = search;
    const { negativeTtlMs } = this.#settings;
    if (negativeTtlMs > 0 && isDeterministic(fault) && call.scope.cache !== "no-store" && !this.closed) {
      this.negatives.add(fingerprint, fault, negativeTtlMs);
    }
    if (!search.outdated || !isExcused(fault)) return fault;
    if (blamesProvider(fault)) this.refreshes.failed(fingerprint.key, fault);
    const stale = await this.#findAfterError(search);
    return stale === undefined ? fault : this.#give(search, stale);
  }

  /** What may be given instead when asking fails. */
  async #findAfterError(search: Search): Promise<Hit | undefined> {
    if (search.limits.errorMs === 0) return undefined;
    search.limits = limitsAfterError(search.limits);
    return this.#tiers.find(search);
  }

  #refuseAgain(call: Call, fault: Fault): Fault {
    this.counts.negativeHits++;
    call.trace.step(this.#runtime.clock.now(), "cache", "negative", undefined, fault.status);
    return fault;
  }
}

// RFC 5861 section 4: an error of the server's, or of the way to it; not one of the request's own.
function isExcused(fault: Fault): boolean {
  const { kind } = fault;
  return blamesProvider(fault) || kind === "rate_limited" || kind === "quota_exhausted" || kind === "refused";
}

function notCached(): Outcome {
  const message = "The call asked for a cached answer only, and no tier has one.";
  return refusal(new NotCachedError(message, { policy: "cache" }));
}
