import {
  aborted,
  type Call,
  Cancellation,
  type KeptAnswer,
  type Next,
  NotCachedError,
  type Outcome,
  type Reply,
  type Runtime,
  refusal,
} from "../../core/index.ts";
import { Failures } from "./failures.ts";
import { type Candidate, Finder, type Found } from "./finder.ts";
import type { SemanticParts, SemanticSettings } from "./options.ts";
import { type Asked, questionOf } from "./question.ts";
import { Memory, type Remembered } from "./remembered.ts";
import { Trials } from "./trials.ts";
import { exactIndex, type VectorIndex } from "./vector-index.ts";
import { whenWhole } from "./whole-answer.ts";

/** No answer may take more than this part of the memory. */
const ANSWER_SHARE = 100;

/** How many invalidations there were when a call began. */
interface Mark {
  readonly all: number;
  readonly tags: number;
}

/** The way of a call past the remembered questions, and of an answer into them. */
export class Semantic {
  readonly counts = { ineligible: 0, misses: 0, hits: 0 };
  readonly memory: Memory;
  readonly failures: Failures;
  readonly finder: Finder;
  readonly trials: Trials;
  readonly #closing = new Cancellation();
  readonly #parts: SemanticParts;
  readonly #index: VectorIndex;
  readonly #runtime: Runtime;
  readonly #learning = new Set<Promise<void>>();
  #settings: SemanticSettings;
  #invalidated = { all: 0, tags: 0 };

  constructor(parts: SemanticParts, settings: SemanticSettings, runtime: Runtime) {
    this.#parts = parts;
    this.#settings = settings;
    this.#runtime = runtime;
    this.#index = parts.index ?? exactIndex();
    this.failures = new Failures(runtime);
    this.memory = new Memory(parts.maxEntries, parts.maxBytes, ({ partition, id }) =>
      this.#tellIndex(() => this.#index.delete(partition, id)),
    );
    this.finder = new Finder(parts, this.#index, this.memory, this.failures, this.#closing, runtime);
    this.trials = new Trials(parts, settings, this.failures, this.#closing, runtime);
  }

  get settings(): SemanticSettings {
    return this.#settings;
  }

  configure(settings: SemanticSettings): void {
    this.#settings = settings;
    this.trials.configure(settings);
  }

  handle(call: Call, next: Next): Promise<Outcome> {
    const { cache } = call.scope;
    if (this.#closing.cancelled || cache === "bypass") return next(call);
    const asked = questionOf(call, this.#parts.embedder, this.#settings);
    const onlyCached = cache === "only-if-cached";
    if (asked === undefined) {
      this.counts.ineligible++;
      return onlyCached ? Promise.resolve(notCached()) : next(call);
    }
    const mayServe = this.trials.servesFrom !== undefined && cache !== "refresh" && this.memory.knows(asked.partition);
    if (onlyCached) return mayServe ? this.#serveOr(call, asked, notCached) : Promise.resolve(notCached());
    if (!mayServe || this.trials.explores()) return this.#askAndWatch(call, next, asked);
    return this.#serveOr(call, asked, (found) => this.#askAndLearn(call, next, asked, Promise.resolve(found), false));
  }

  /** What somebody found out later. Says whether the call is one that can still be reported. */
  report(callId: string, wrong: boolean): boolean {
    const reported = this.trials.report(callId, wrong);
    if (reported?.wrongEntry !== undefined) this.memory.delete(reported.wrongEntry);
    return reported !== undefined;
  }

  invalidateTags(tags: readonly string[]): void {
    this.#invalidated.tags++;
    this.memory.deleteWhere((entry) => entry.tags.some((tag) => tags.includes(tag)));
  }

  /** Forgets what matches. What is on its way may match as well, so none of it is remembered. */
  invalidate(matches: (entry: Remembered) => boolean): void {
    this.#invalidated.all++;
    this.memory.deleteWhere(matches);
  }

  /** Waits for what is being learned and judged. */
  async flush(): Promise<void> {
    while (this.#learning.size > 0) await Promise.all(this.#learning);
  }

  close(): void {
    this.#closing.cancel("closed");
    this.invalidate(() => true);
  }

  async #serveOr(call: Call, asked: Asked, otherwise: (found: Found) => Outcome | Promise<Outcome>): Promise<Outcome> {
    const startedAt = this.#runtime.clock.now();
    const found = await this.finder.find(call, asked, this.#settings, true);
    const { cancellation } = call;
    if (cancellation.cancelled) return aborted(cancellation.reason);
    const { candidate } = found;
    const from = this.trials.servesFrom;
    if (candidate !== undefined && from !== undefined && candidate.similarity >= from && this.#holds(candidate)) {
      const reply = replayed(call, candidate.entry.answer);
      if (reply !== undefined) return this.#hit(call, candidate, reply, startedAt);
    }
    call.trace.step(this.#runtime.clock.now(), "semantic", "miss", this.#runtime.clock.now() - startedAt);
    return otherwise(found);
  }

  /** Not so when it was invalidated a moment ago. */
  #holds({ entry }: Candidate): boolean {
    return this.memory.get(entry.id) === entry;
  }

  #hit(call: Call, candidate: Candidate, reply: Reply, startedAt: number): Reply {
    const { entry, similarity } = candidate;
    const { clock, events } = this.#runtime;
    const now = clock.now();
    this.counts.hits++;
    this.memory.used(entry);
    this.trials.served(call, candidate);
    call.trace.tier = "semantic";
    call.trace.step(now, "semantic", "hit", now - startedAt, similarity);
    if (events.wants("semantic.hit")) {
      const { errorBound } = this.trials;
      events.emit("semantic.hit", call, { similarity, errorBound, ageMs: now - entry.createdAt });
    }
    return reply;
  }

  /** Asks the provider without waiting for anything, and looks meanwhile what could have been served. */
  #askAndWatch(call: Call, next: Next, asked: Asked): Promise<Outcome> {
    const finding = this.finder.find(call, asked, this.#settings, false);
    // Whoever refreshes knows that the answer has changed: a pair with the old one would be no fair sample.
    return this.#askAndLearn(call, next, asked, finding, call.scope.cache !== "refresh");
  }

  async #askAndLearn(
    call: Call,
    next: Next,
    asked: Asked,
    finding: Promise<Found>,
    watches: boolean,
  ): Promise<Outcome> {
    this.counts.misses++;
    const mark: Mark = { ...this.#invalidated };
    const outcome = await next(call);
    if (!outcome.ok) return outcome;
    whenWhole(call, outcome, this.#parts.maxBytes / ANSWER_SHARE, (fresh) => {
      const learned = this.#learn(call, asked, finding, fresh, mark, watches).then(() => {
        this.#learning.delete(learned);
      });
      this.#learning.add(learned);
    });
    return outcome;
  }

  async #learn(
    call: Call,
    asked: Asked,
    finding: Promise<Found>,
    fresh: KeptAnswer,
    mark: Mark,
    watches: boolean,
  ): Promise<void> {
    const { vector, candidate } = await finding;
    if (this.#closing.cancelled) return;
    if (vector !== undefined && this.#mayRemember(call, mark)) this.#remember(call, asked, vector, fresh);
    if (watches && candidate !== undefined) await this.trials.watch(call, asked.text, candidate, fresh);
  }

  // Whoever has sent nothing has what another asked for, perhaps before an invalidation.
  #mayRemember({ scope, trace }: Call, { all, tags }: Mark): boolean {
    if (scope.cache === "no-store" || trace.attemptCount === 0 || all !== this.#invalidated.all) return false;
    return scope.tags.length === 0 || tags === this.#invalidated.tags;
  }

  #remember(call: Call, { id, partition, text }: Asked, vector: Float32Array, answer: KeptAnswer): void {
    const now = this.#runtime.clock.now();
    const expiresAt = now + Math.min(call.scope.ttlMs ?? Number.POSITIVE_INFINITY, this.#settings.ttlMs);
    const { label } = call;
    const { tags } = call.scope;
    const { cacheKey } = call.trace;
    this.memory.add({ id, partition, text, vector, answer, createdAt: now, expiresAt, tags, label, cacheKey });
    this.#tellIndex(() => this.#index.add(partition, id, vector));
  }

  #tellIndex(work: () => void | Promise<void>): void {
    const failed = (error: unknown): void => this.failures.add("index", error);
    try {
      work()?.catch(failed);
    } catch (error) {
      failed(error);
    }
  }
}

// An entry that a wire cannot read any more is none.
function replayed(call: Call, answer: KeptAnswer): Reply | undefined {
  try {
    return call.wire.replay(call, answer);
  } catch {
    return undefined;
  }
}

function notCached(): Outcome {
  const message = "The call asked for a cached answer only, and no similar question has one.";
  return refusal(new NotCachedError(message, { policy: "semantic" }));
}
