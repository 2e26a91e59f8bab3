import {
  type Call,
  type KeptAnswer,
  keptValue,
  Recording,
  type Reply,
  type Runtime,
  type Settlement,
} from "../../core/index.ts";
import type { Group } from "./asking.ts";
import { costOf } from "./cost.ts";
import type { CacheCounts } from "./counts.ts";
import { jittered } from "./freshness.ts";
import type { Invalidations } from "./invalidations.ts";
import type { CacheSettings } from "./options.ts";
import type { Search } from "./search.ts";
import type { Tiers } from "./tiers.ts";

/** What an answer is waited for. */
export interface Asked {
  readonly search: Search;
  /** Those who ask the same now. */
  readonly group: Group;
  /** The clock's time. */
  readonly at: number;
}

interface CacheState {
  readonly settings: CacheSettings;
  readonly closed: boolean;
  readonly counts: CacheCounts;
}

/** The way of an answer into the tiers. */
export class Keeper {
  readonly #cache: CacheState;
  readonly #tiers: Tiers;
  readonly #invalidations: Invalidations;
  readonly #runtime: Runtime;

  constructor(cache: CacheState, tiers: Tiers, invalidations: Invalidations, runtime: Runtime) {
    this.#cache = cache;
    this.#tiers = tiers;
    this.#invalidations = invalidations;
    this.#runtime = runtime;
  }

  /** Arranges that the answer is kept when it proves to be whole and good. */
  watch(asked: Asked, reply: Reply): void {
    const { call } = asked.search;
    const { body } = reply;
    if (body.kind === "stream") {
      this.#watchStream(asked, reply, body);
    } else if (reply.servedBy !== "upstream") {
      return;
    } else if (call.scope.cache === "no-store") {
      this.#skip(call, "no_store");
    } else if (reply.settled.isOpen && reply.settled.value?.storable !== true) {
      this.#skip(call, "not_storable");
    } else {
      // Now, because the caller may change its value as soon as it has it.
      const answer = keptValue(call, reply.head, body);
      reply.settled.subscribe((settlement) => {
        if (settlement.storable) this.#keep(asked, answer, settlement);
        else this.#skip(call, "not_storable");
      });
    }
  }

  #watchStream(asked: Asked, reply: Reply, stream: Extract<Reply["body"], { kind: "stream" }>): void {
    const { call } = asked.search;
    if (call.scope.cache === "no-store") {
      this.#skip(call, "no_store");
      return;
    }
    const recording = new Recording(call, this.#cache.settings.maxEntryBytes);
    stream.observe({ chunk: (chunk) => recording.add(chunk) });
    reply.settled.subscribe((settlement) => {
      // An answer that several calls share is kept by the one that stands for it in the end.
      if (reply.servedBy !== "upstream") return;
      if (!settlement.storable) this.#skip(call, "not_storable");
      else if (recording.overflowed) this.#skip(call, "too_large");
      else this.#keep(asked, recording.keep(reply.head), settlement);
    });
  }

  #keep({ search, group, at }: Asked, answer: KeptAnswer | undefined, settlement: Settlement): void {
    const { call } = search;
    // Who has sent nothing has what another asked for, perhaps long before.
    const asked = call.trace.attemptCount > 0 ? search : group.first;
    const bytes = answer === undefined ? 0 : Buffer.byteLength(answer.text);
    // What was asked for later knows more, such as the answer to a refresh that has overtaken this one.
    const objection = at < group.keptFrom ? "superseded" : this.#objection(asked, search.tags, bytes);
    if (answer === undefined || objection !== undefined) {
      this.#skip(call, objection ?? "not_keepable");
      return;
    }
    const { settings, counts } = this.#cache;
    const { staleWhileRevalidateMs = settings.staleWhileRevalidateMs, staleIfErrorMs = settings.staleIfErrorMs } =
      call.scope.directives;
    const { clock, random, events } = this.#runtime;
    const { model, usage } = settlement;
    const ttlMs = jittered(call.scope.ttlMs ?? settings.ttlMs, settings.jitter, random);
    const tookMs = clock.now() - at;
    const createdAt = clock.wall();
    const freshUntil = createdAt + ttlMs;
    this.#tiers.keep(asked, {
      answer,
      check: search.fingerprint.check,
      createdAt,
      freshUntil,
      expiresAt: freshUntil + Math.max(staleWhileRevalidateMs, staleIfErrorMs),
      tookMs,
      cost: costOf(settings.cost, { model: model ?? call.model, usage, tookMs, bytes }),
      label: call.label,
      owner: settings.shared ? "" : call.owner,
      model,
      usage,
      tags: this.#invalidations.of(search.tags),
      sweep: 0,
    });
    group.keptFrom = at;
    counts.stores++;
    if (events.wants("cache.stored")) events.emit("cache.stored", call, { bytes, ttlMs });
  }

  #objection(asked: Search, tags: readonly string[], bytes: number): string | undefined {
    if (this.#cache.closed) return "closed";
    if (bytes > this.#cache.settings.maxEntryBytes) return "too_large";
    return asked.standsFor(tags) ? undefined : "invalidated";
  }

  #skip(call: Call, reason: string): void {
    this.#cache.counts.skipped++;
    const { clock, events } = this.#runtime;
    call.trace.step(clock.now(), "cache", "skipped", undefined, reason);
    if (events.wants("cache.skipped")) events.emit("cache.skipped", call, { reason });
  }
}
