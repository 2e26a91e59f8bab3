import type { Call, Cancellation, Runtime } from "../../core/index.ts";
import type { Failures, Part } from "./failures.ts";
import { objectingGuard } from "./guards.ts";
import { type Ended, limited } from "./limited.ts";
import type { SemanticParts, SemanticSettings } from "./options.ts";
import type { Asked } from "./question.ts";
import type { Memory, Remembered } from "./remembered.ts";
import { cosine, unitVector } from "./unit-vector.ts";
import type { VectorIndex } from "./vector-index.ts";

/** A remembered question that is near enough and that no guard objects to. */
export interface Candidate {
  readonly entry: Remembered;
  readonly similarity: number;
}

export interface Found {
  /** That of the question; `undefined` when the embedder failed. */
  readonly vector: Float32Array | undefined;
  readonly candidate: Candidate | undefined;
}

/** The nearest may be too old or guarded against. */
const CANDIDATES = 4;

/** Finds the remembered question that is most like another one. */
export class Finder {
  readonly guarded: Record<string, number> = {};
  readonly #parts: SemanticParts;
  readonly #index: VectorIndex;
  readonly #memory: Memory;
  readonly #failures: Failures;
  readonly #closing: Cancellation;
  readonly #runtime: Runtime;

  constructor(
    parts: SemanticParts,
    index: VectorIndex,
    memory: Memory,
    failures: Failures,
    closing: Cancellation,
    runtime: Runtime,
  ) {
    this.#parts = parts;
    this.#index = index;
    this.#memory = memory;
    this.#failures = failures;
    this.#closing = closing;
    this.#runtime = runtime;
  }

  /** Takes `embedTimeout` at most and never rejects. `waits`: the call cannot go on before. */
  async find(call: Call, asked: Asked, settings: SemanticSettings, waits: boolean): Promise<Found> {
    const { text, partition } = asked;
    let part: Part = "embed";
    let vector: Float32Array | undefined;
    const ended: Ended<readonly string[]> = await limited(this.#runtime.clock, {
      ms: settings.embedTimeoutMs,
      cancellation: waits ? call.cancellation : this.#closing,
      waits,
      run: async (signal) => {
        const vectors = await this.#parts.embed([text], { signal });
        vector = unitVector(vectors[0]);
        if (vector === undefined) throw new TypeError("The embedder gave no vector.");
        if (!this.#memory.knows(partition)) return [];
        part = "index";
        return this.#index.search(partition, vector, CANDIDATES);
      },
    });
    if ("error" in ended) {
      this.#failures.add(part, ended.error);
      return { vector, candidate: undefined };
    }
    return { vector, candidate: vector && this.#choose(call, asked, settings, vector, ended.value) };
  }

  #choose(
    call: Call,
    { text, partition }: Asked,
    { minSimilarity }: SemanticSettings,
    vector: Float32Array,
    ids: readonly string[],
  ): Candidate | undefined {
    const near = ids
      .slice(0, CANDIDATES)
      .map((id) => this.#memory.get(id))
      .filter((entry) => entry !== undefined && entry.partition === partition && this.#suits(call, entry))
      .map((entry) => ({ entry: entry as Remembered, similarity: cosine(vector, (entry as Remembered).vector) }))
      .filter(({ similarity }) => similarity >= minSimilarity)
      .sort((left, right) => right.similarity - left.similarity);
    return near.find(({ entry, similarity }) => !this.#isGuarded(call, text, entry.text, similarity));
  }

  /** Whether the call may be given an answer of this age and these tags. */
  #suits({ scope }: Call, { id, createdAt, expiresAt, tags }: Remembered): boolean {
    const now = this.#runtime.clock.now();
    if (expiresAt <= now) {
      this.#memory.delete(id);
      return false;
    }
    const { maxAgeMs = Number.POSITIVE_INFINITY, minFreshMs = 0 } = scope.directives;
    // An invalidation of a tag that it lacks would not reach it.
    return now - createdAt < maxAgeMs && expiresAt - now >= minFreshMs && scope.tags.every((tag) => tags.includes(tag));
  }

  #isGuarded(call: Call, question: string, cachedQuestion: string, similarity: number): boolean {
    const guard = objectingGuard(this.#parts.guards, question, cachedQuestion);
    if (guard === undefined) return false;
    this.guarded[guard.name] = (this.guarded[guard.name] ?? 0) + 1;
    const { events } = this.#runtime;
    if (events.wants("semantic.guarded")) events.emit("semantic.guarded", call, { guard: guard.name, similarity });
    return true;
  }
}
