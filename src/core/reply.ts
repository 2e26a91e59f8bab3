import type { Commit } from "./commit.ts";
import { type Fault, interrupted, type LimitReading } from "./fault.ts";
import { Latch } from "./latch.ts";

/** Tokens of one answer, normalised: `input` includes cached ones, `output` includes reasoning. */
export interface Usage {
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly cachedInputTokens?: number;
  readonly reasoningTokens?: number;
}

/** How a body ended. */
export interface Settlement {
  /** Why it did not end well; absent when it did. */
  readonly fault: Fault | undefined;
  /** Proven whole and good: may be kept and given as an answer again. */
  readonly storable: boolean;
  /** As the provider reported it; absent when it did not. */
  readonly usage: Usage | undefined;
  /** The model that really answered, where the reply says so. */
  readonly model: string | undefined;
  readonly finishReasons: readonly string[] | undefined;
}

/** A settlement that ended well; what is not given is unknown. */
export function whole(details: Partial<Omit<Settlement, "fault">> = {}): Settlement {
  return {
    fault: undefined,
    storable: details.storable ?? true,
    usage: soundUsage(details.usage),
    model: details.model,
    finishReasons: details.finishReasons,
  };
}

/** A settlement that ended in a fault. `usage` is what is known to be spent all the same. */
export function broken(fault: Fault, usage?: Usage): Settlement {
  return { fault, storable: false, usage: soundUsage(usage), model: undefined, finishReasons: undefined };
}

// One that is no number, told by a wire or a lease of the user's, would stay in every sum that it enters.
function soundUsage(usage: Usage | undefined): Usage | undefined {
  return usage !== undefined && isCount(usage.inputTokens) && isCount(usage.outputTokens) ? usage : undefined;
}

function isCount(tokens: number): boolean {
  return tokens >= 0 && tokens < Number.POSITIVE_INFINITY;
}

/** What is known when the answer begins. */
export interface ReplyHead {
  /** HTTP status; 200 for a function. */
  readonly status: number;
  readonly statusText: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly url: string;
  readonly limits: readonly LimitReading[] | undefined;
}

export const PLAIN_HEAD: ReplyHead = { status: 200, statusText: "", headers: [], url: "", limits: undefined };

/** Where an answer came from. */
export type ServedBy = "upstream" | "cache" | "coalesced";

/** An answer: its head now, its body later; `settled` opens when the body is over. */
export interface Reply {
  readonly ok: true;
  readonly head: ReplyHead;
  readonly body: ValueBody | ChunkStream;
  readonly settled: Latch<Settlement>;
  readonly servedBy: ServedBy;
}

/** A body that is here as a whole. */
export interface ValueBody {
  readonly kind: "value";
  readonly value: unknown;
}

/** What a line gives back: an answer or a failure, never an exception. */
export type Outcome = Reply | Fault;

/** A reply whose body is here; it is settled from the start. */
export function valueReply(
  value: unknown,
  settlement: Settlement,
  head = PLAIN_HEAD,
  servedBy: ServedBy = "upstream",
): Reply {
  return { ok: true, head, body: { kind: "value", value }, settled: Latch.of(settlement), servedBy };
}

/** A reply whose body is still to come. */
export function streamReply(stream: ChunkStream, head = PLAIN_HEAD, servedBy: ServedBy = "upstream"): Reply {
  return { ok: true, head, body: stream, settled: stream.settled, servedBy };
}

/**
 * One piece of a streamed body.
 * `preamble` comes before the model has said anything and may still be taken back; `content` is the answer;
 * `end` is the provider's own sign that the answer is complete; `failure` tells inside the stream that it failed;
 * `other` is everything else (pings, usage).
 */
export interface Chunk {
  readonly role: "preamble" | "content" | "end" | "failure" | "other";
  /** What the client hands to its caller: raw text of an event, or a function's own value. */
  readonly value: unknown;
}

/** Where a stream's chunks come from. `pull` never rejects; a settlement is its last answer. */
export interface ChunkSource {
  pull(): Promise<Chunk | Settlement>;
  /**
   * Stops the source early. Called at most once, and never after `pull` gave a settlement. Answers with what the body
   * has come to where that is known: complete, when its end had passed before the consumer left; or spent tokens.
   */
  cancel(reason: Fault): Settlement | undefined;
}

/** Watches a stream as it passes, without a hop of its own. None of these may throw. */
export interface StreamObserver {
  /** The consumer waits for a chunk from now on. */
  pulled?(): void;
  chunk?(chunk: Chunk): void;
}

/**
 * Where a stream stands:
 *
 * | state | what is known | ends with |
 * |---|---|---|
 * | `preamble` | the source has given no content yet | content: `probing`; its end: `terminal` |
 * | `probing` | there is content, all of it held back | the first content handed out: `committed`; its end: `terminal` |
 * | `committed` | the reader has content; nobody may try again unseen | its end: `terminal` |
 * | `terminal` | `settled` is open; what is held is still handed out | |
 */
export type StreamState = "preamble" | "probing" | "committed" | "terminal";

const PREAMBLE_CHUNKS_MAX = 256;
/** A bound of memory: beyond it a stream is handed on, whatever was to be waited for. */
const HELD_CHUNKS_MAX = 16_384;

/**
 * A streamed body. Pulled, so back-pressure reaches the provider; observed, so that any number of policies
 * may watch it at the cost of one asynchronous step a chunk; ended exactly once, through `settled`.
 */
export class ChunkStream {
  readonly kind = "stream";
  readonly settled = new Latch<Settlement>();
  #source: ChunkSource;
  #observers: StreamObserver[] = [];
  /** Read ahead; handed out from `#at` on. */
  #held: Chunk[] = [];
  #at = 0;
  #resolve: ((chunk: Chunk | undefined) => void) | undefined;
  #pulling = false;
  #speaking = false;
  #committed = false;
  #chunkCount = 0;

  constructor(source: ChunkSource) {
    this.#source = source;
  }

  /** True once content has been handed out: from then on no policy may try again. */
  get committed(): boolean {
    return this.#committed;
  }

  get state(): StreamState {
    if (this.settled.isOpen) return "terminal";
    if (this.#committed) return "committed";
    return this.#speaking ? "probing" : "preamble";
  }

  /** Chunks that came from the source so far. */
  get chunkCount(): number {
    return this.#chunkCount;
  }

  /** Chunks that were read ahead and are still to be handed out. */
  get heldCount(): number {
    return this.#held.length - this.#at;
  }

  /** Shows `observer` every chunk from now on, and those that were read ahead and are still to be handed out. */
  observe(observer: StreamObserver): void {
    for (let at = this.#at; at < this.#held.length; at++) observer.chunk?.(this.#held[at] as Chunk);
    this.#observers.push(observer);
  }

  /** The next chunk, or `undefined` when the body is over: then `settled` says how. One call at a time. */
  async next(): Promise<Chunk | undefined> {
    const chunk = this.#at < this.#held.length ? this.#release() : await this.#pull();
    if (chunk !== undefined && chunk.role === "content") this.#committed = true;
    return chunk;
  }

  /**
   * Reads ahead until `commit` is reached, so that a failure before it can still be answered by another try. What was
   * read is handed out by `next`; what is held already counts. Resolves to the fault, if the body ended in one before:
   * then nothing of it was handed out. At most 256 chunks of preamble and 16,384 in all are held.
   */
  async prime(
    commit: Commit = "firstContent",
    tokensOf: (chunk: Chunk) => number = () => 1,
  ): Promise<Fault | undefined> {
    const wanted = commit === "firstContent" ? 1 : commit === "complete" ? Number.POSITIVE_INFINITY : commit.tokens;
    const countOf = (chunk: Chunk): number => (chunk.role === "content" ? Math.max(1, tokensOf(chunk)) : 0);
    let tokens = 0;
    for (const chunk of this.#held) tokens += countOf(chunk);
    while (tokens < wanted && this.#held.length < (tokens === 0 ? PREAMBLE_CHUNKS_MAX : HELD_CHUNKS_MAX)) {
      const chunk = await this.#pull();
      if (chunk === undefined) return this.#heldFault();
      this.#held.push(chunk);
      tokens += countOf(chunk);
      // Nothing good can follow, and the provider may leave the connection open.
      if (chunk.role === "failure") this.fail(interrupted("The provider told a failure in its stream."));
    }
    return undefined;
  }

  /**
   * Ends the stream early: a timer fired or the consumer left. The source is cancelled. Whoever leaves after the last
   * word was said does not change what was said.
   */
  fail(fault: Fault): void {
    if (this.settled.isOpen) return;
    const known = this.#source.cancel(fault);
    // Cancelling may have ended the stream by another way.
    if (!this.settled.isOpen) this.#settle(known ?? broken(fault));
  }

  #release(): Chunk | undefined {
    const chunk = this.#held[this.#at++];
    if (this.#at === this.#held.length) {
      this.#held = [];
      this.#at = 0;
    }
    return chunk;
  }

  /** The fault that ended a stream nothing of which was handed out, with all that its provider said. */
  #heldFault(): Fault | undefined {
    const fault = this.settled.value?.fault;
    if (fault?.response === undefined || !this.#speaking) return fault;
    const body = this.#held.map(({ value }) => (typeof value === "string" ? value : "")).join("");
    return { ...fault, response: { ...fault.response, body } };
  }

  #pull(): Promise<Chunk | undefined> {
    if (this.settled.isOpen) return Promise.resolve(undefined);
    for (const observer of this.#observers) observer.pulled?.();
    return new Promise((resolve) => {
      this.#resolve = resolve;
      // A pull that `fail` gave up on is still under way at the source; its answer is dropped below.
      if (this.#pulling) return;
      this.#pulling = true;
      void this.#source.pull().then((item) => this.#arrive(item));
    });
  }

  #arrive(item: Chunk | Settlement): void {
    this.#pulling = false;
    if (this.settled.isOpen) return;
    if ("role" in item) {
      this.#chunkCount++;
      if (item.role === "content") this.#speaking = true;
      for (const observer of this.#observers) observer.chunk?.(item);
      this.#hand(item);
    } else {
      this.#settle(item);
    }
  }

  #settle(settlement: Settlement): void {
    const { fault } = settlement;
    const late = fault !== undefined && this.#committed && !fault.committed;
    this.settled.open(late ? { ...settlement, fault: { ...fault, committed: true } } : settlement);
    this.#hand(undefined);
  }

  #hand(chunk: Chunk | undefined): void {
    const resolve = this.#resolve;
    this.#resolve = undefined;
    resolve?.(chunk);
  }
}
