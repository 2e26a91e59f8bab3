import {
  aborted,
  type Call,
  type Fingerprint,
  type KeptAnswer,
  type Next,
  NotCachedError,
  type Outcome,
  type Reply,
  type Runtime,
  refusal,
  type Settlement,
} from "../../core/index.ts";
import { Asking } from "./asking.ts";
import { CacheCounts } from "./counts.ts";
import type { CacheSettings } from "./options.ts";
import { Recording } from "./recording.ts";
import { type Hit, Search } from "./search.ts";
import type { TagVersions } from "./tag-versions.ts";
import type { Tiers } from "./tiers.ts";

/** The way of a call through the cache, and of an answer into it. */
export class Cache {
  readonly counts = new CacheCounts();
  settings: CacheSettings;
  closed = false;
  readonly #asking = new Asking();
  readonly #tiers: Tiers;
  readonly #versions: TagVersions;
  readonly #runtime: Runtime;

  constructor(settings: CacheSettings, tiers: Tiers, versions: TagVersions, runtime: Runtime) {
    this.settings = settings;
    this.#tiers = tiers;
    this.#versions = versions;
    this.#runtime = runtime;
  }

  handle(call: Call, next: Next): Promise<Outcome> {
    const question = this.closed ? "closed" : questionOf(call, this.settings);
    if (typeof question === "string") return this.#bypass(call, next, question);
    const search = new Search(call, question, this.#versions);
    if (call.scope.cache === "refresh") {
      search.reason = "refresh";
      const prepared = this.#tiers.prepare(search);
      return prepared === undefined ? this.#ask(search, next) : this.#askAfter(prepared, search, next);
    }
    const hit = this.#tiers.find(search);
    if (hit instanceof Promise) return this.#answerAfter(hit, search, next);
    return hit === undefined ? this.#ask(search, next) : Promise.resolve(this.#answer(search, hit));
  }

  #bypass(call: Call, next: Next, reason: string): Promise<Outcome> {
    this.counts.bypassed++;
    const { clock, events } = this.#runtime;
    call.trace.step(clock.now(), "cache", "bypassed", undefined, reason);
    if (events.wants("cache.bypassed")) events.emit("cache.bypassed", call, { reason });
    return call.scope.cache === "only-if-cached" ? Promise.resolve(notCached()) : next(call);
  }

  async #answerAfter(looking: Promise<Hit | undefined>, search: Search, next: Next): Promise<Outcome> {
    const startedAt = this.#runtime.clock.now();
    const hit = await looking;
    const { cancellation } = search.call;
    if (cancellation.cancelled) return aborted(cancellation.reason);
    return hit === undefined ? this.#ask(search, next, startedAt) : this.#answer(search, hit, startedAt);
  }

  async #askAfter(prepared: Promise<unknown>, search: Search, next: Next): Promise<Outcome> {
    const startedAt = this.#runtime.clock.now();
    await prepared;
    const { cancellation } = search.call;
    return cancellation.cancelled ? aborted(cancellation.reason) : this.#ask(search, next, startedAt);
  }

  #answer({ call }: Search, { tier, reply, entry }: Hit, startedAt?: number): Reply {
    const { clock, events } = this.#runtime;
    const now = clock.now();
    call.trace.tier = tier;
    call.trace.step(now, "cache", "hit", startedAt === undefined ? undefined : now - startedAt, tier);
    if (events.wants("cache.hit")) {
      const ageMs = Math.max(0, clock.wall() - entry.createdAt);
      events.emit("cache.hit", call, { tier, ageMs, bytes: Buffer.byteLength(entry.answer.text) });
    }
    return reply;
  }

  async #ask(search: Search, next: Next, startedAt?: number): Promise<Outcome> {
    const { call, reason } = search;
    const { clock, events } = this.#runtime;
    this.counts.misses[reason]++;
    const now = clock.now();
    call.trace.step(now, "cache", "miss", startedAt === undefined ? undefined : now - startedAt, reason);
    if (events.wants("cache.miss")) events.emit("cache.miss", call, { reason });
    if (call.scope.cache === "only-if-cached") return notCached();
    const first = this.#asking.begin(search);
    const outcome = await next(call);
    if (outcome.ok) {
      this.#watch(search, first, outcome);
      outcome.settled.subscribe(() => this.#asking.end(search));
    } else {
      this.#asking.end(search);
    }
    return outcome;
  }

  /** Arranges that the answer is kept when it proves to be whole and good. */
  #watch(search: Search, first: Search, reply: Reply): void {
    const { body } = reply;
    if (body.kind === "stream") {
      const recording = new Recording(this.settings.maxEntryBytes);
      body.observe({ chunk: (chunk) => recording.add(chunk) });
      reply.settled.subscribe((settlement) => {
        // An answer that several calls share is kept by the one that stands for it in the end.
        if (reply.servedBy !== "upstream") return;
        const { values } = recording;
        if (!settlement.storable) this.#skip(search.call, "not_storable");
        else if (values === undefined) this.#skip(search.call, "too_large");
        else this.#keep(search, first, answerOf(search.call, reply, { chunks: values }), settlement);
      });
    } else if (reply.servedBy !== "upstream") {
      return;
    } else if (reply.settled.isOpen && reply.settled.value?.storable !== true) {
      this.#skip(search.call, "not_storable");
    } else {
      // Now, because the caller may change its value as soon as it has it.
      const answer = answerOf(search.call, reply, body);
      reply.settled.subscribe((settlement) => {
        if (settlement.storable) this.#keep(search, first, answer, settlement);
        else this.#skip(search.call, "not_storable");
      });
    }
  }

  #keep(search: Search, first: Search, answer: KeptAnswer | undefined, settlement: Settlement): void {
    const { call } = search;
    // Who has sent nothing has what another asked for, perhaps long before.
    const asked = call.trace.attemptCount > 0 ? search : first;
    const bytes = answer === undefined ? 0 : Buffer.byteLength(answer.text);
    const objection = this.#objection(asked.version, search.tags, bytes);
    if (answer === undefined || objection !== undefined) {
      this.#skip(call, objection ?? "not_keepable");
      return;
    }
    const createdAt = this.#runtime.clock.wall();
    const ttlMs = call.scope.ttlMs ?? this.settings.ttlMs;
    this.#tiers.keep(asked, {
      answer,
      check: search.fingerprint.check,
      createdAt,
      expiresAt: createdAt + ttlMs,
      model: settlement.model,
      usage: settlement.usage,
      tags: this.#versions.of(search.tags),
    });
    this.counts.stores++;
    const { events } = this.#runtime;
    if (events.wants("cache.stored")) events.emit("cache.stored", call, { bytes, ttlMs });
  }

  #objection(version: number, tags: readonly string[], bytes: number): string | undefined {
    if (this.closed) return "closed";
    if (bytes > this.settings.maxEntryBytes) return "too_large";
    return this.#versions.unchangedSince(version, tags) ? undefined : "invalidated";
  }

  #skip(call: Call, reason: string): void {
    this.counts.skipped++;
    const { clock, events } = this.#runtime;
    call.trace.step(clock.now(), "cache", "skipped", undefined, reason);
    if (events.wants("cache.skipped")) events.emit("cache.skipped", call, { reason });
  }
}

/** What to look for; a word when the cache is not to be used for this call. */
function questionOf(call: Call, { when, shared }: CacheSettings): Fingerprint | string {
  if (call.scope.cache === "bypass") return "bypass";
  try {
    const { identity } = call;
    if ("bypass" in identity) return identity.bypass;
    if (when === "deterministic" && call.temperature !== 0) return "not_deterministic";
    return call.fingerprint(shared) ?? "not_canonical";
  } catch {
    return "not_canonical";
  }
}

// What a wire cannot read must not fail the call that brought it.
function answerOf(
  call: Call,
  { head }: Reply,
  body: { readonly value: unknown } | { readonly chunks: readonly unknown[] },
): KeptAnswer | undefined {
  try {
    return call.wire.keep(call, head, body);
  } catch {
    return undefined;
  }
}

function notCached(): Outcome {
  const message = "The call asked for a cached answer only, and no tier has one.";
  return refusal(new NotCachedError(message, { policy: "cache" }));
}
