import type { Call } from "./call.ts";
import type { Chunk, Reply, ReplyHead } from "./reply.ts";

/** An answer as a cache keeps it. */
export interface KeptAnswer {
  /** `value`: one whole text. `events`: the lossless list of a stream's events, each with its role. */
  readonly form: "value" | "events";
  /** What `Wire.keep` made of the body; only the same wire reads it back. */
  readonly text: string;
  readonly head: Pick<ReplyHead, "status" | "headers">;
}

/** What makes a request what it is, or why it must not be cached. */
export type Identity =
  | {
      /** Everything that can change the answer; `canonical` must accept it. */
      readonly material: unknown;
    }
  | {
      /** A short word for events: `stateful`, `hosted_tools` ... */
      readonly bypass: string;
    };

/** A stream that is being taken down. */
export interface StreamRecord {
  /** About how many characters of text it takes so far. */
  readonly size: number;
  /** Takes the value of the next chunk. */
  add(value: unknown): void;
  /** The stream as it is kept, after its last chunk. `undefined`: it cannot be kept. */
  keep(head: ReplyHead): KeptAnswer | undefined;
}

/** A call that asks several questions at once. */
export interface Batch {
  /** A call for each question, the same one only once. Its fingerprint is that of the question asked alone. */
  readonly parts: readonly Call[];
  /** A copy of `call` that asks the questions at `indexes` only. */
  ask(call: Call, indexes: readonly number[]): Call;
  /** What `reply` to the call of `ask` tells to each of its parts. `undefined`: that cannot be said for certain. */
  divide(reply: Reply, indexes: readonly number[]): Promise<readonly Reply[] | undefined>;
  /** The reply to the whole call, as the provider would give it, from one reply to each part. */
  join(replies: readonly Reply[]): Promise<Reply | undefined>;
}

/** A request as one text of the user's, which another may be compared with, and everything else of it. */
export interface Question {
  readonly text: string;
  /** Whatever else can change the answer; `canonical` must accept it. Texts are compared only where it is the same. */
  readonly context: unknown;
  /** Messages of the user in the request, this one included. */
  readonly turns: number;
}

/** One text of a prompt. */
export interface PromptPart {
  /** `fixed`: instructions and tools, which calls of one template have in common; `turn`: what was said. */
  readonly of: "fixed" | "turn";
  readonly text: string;
}

/** How an answer that broke off is taken up again. */
export interface Continuation {
  /** A copy of the call that asks for the rest. */
  readonly call: Call;
  /**
   * What the reader gets of a chunk of the rest: repeated words and a second preamble are left out. May hold chunks back
   * to compare them. Throws when the rest does not fit what was given.
   */
  accept(chunk: Chunk): readonly Chunk[];
}

/**
 * What a cache and the coalescer need to know of the form that a call's bodies have. Each client's dialect
 * implements it once; the functions are pure.
 */
export interface Wire {
  readonly name: string;
  /** Scope by credential, client, provider and model is added by `Call.fingerprint`, not here. */
  identity(call: Call): Identity;
  /**
   * What distinguishes calls whose answers are the same but come in another shape (streamed or whole, with usage
   * or without). Calls in flight share one answer only when this is equal too.
   */
  shape(call: Call): string;
  /** Begins to take a stream down while it passes, where that needs less room than all of its chunks for `keep`. */
  record?(call: Call): StreamRecord;
  /** Turns a whole body, or the chunks of a stream in order, into what is kept. `undefined`: cannot be kept. */
  keep(
    call: Call,
    head: ReplyHead,
    body: { readonly value: unknown } | { readonly chunks: readonly unknown[] },
  ): KeptAnswer | undefined;
  /** Turns what was kept into a reply of the shape this call asks for. `undefined`: the entry cannot serve it. */
  replay(call: Call, kept: KeptAnswer): Reply | undefined;
  /**
   * Takes a call apart that asks several questions at once, such as the inputs of an embedding, so that each can be
   * kept by itself. `undefined`: it asks one, or cannot be taken apart.
   */
  split?(call: Call): Batch | undefined;
  /** `undefined`: the request is no question in one text, such as a turn of an agent or one with an image. */
  question?(call: Call): Question | undefined;
  /**
   * How the prompt begins, as far as calls that can share a provider's prompt cache have it in common: what comes before
   * the answer to the first turn. At most a few thousand characters of each part. `undefined`: it cannot be told.
   */
  promptBeginning?(call: Call): string | undefined;
  /** The texts of the prompt, in the order in which the provider reads them. `undefined`: they cannot be told. */
  promptParts?(call: Call): readonly PromptPart[] | undefined;
  /** The text of the answer in a chunk of content. `undefined`: it has none that can be read. */
  contentText?(call: Call, value: unknown): string | undefined;
  /**
   * How to ask for the rest of an answer of which the caller was given `text`. `undefined`: it cannot be continued, such
   * as one with tool calls or several choices.
   */
  continuation?(call: Call, text: string): Continuation | undefined;
  /** What was kept, as plain text for whoever judges it. `undefined`: it has none. */
  answerText?(call: Call, kept: KeptAnswer): string | undefined;
}

const CHARS_PER_TOKEN = 4;

/** About how many tokens a chunk of content has: four characters each where its wire can read it, else one; never none. */
export function contentTokens(call: Call, chunk: Chunk): number {
  const text = call.wire.contentText?.(call, chunk.value);
  return text === undefined ? 1 : Math.max(1, text.length / CHARS_PER_TOKEN);
}
