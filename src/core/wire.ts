import type { Call } from "./call.ts";
import type { Reply, ReplyHead } from "./reply.ts";

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
  /** Turns a whole body, or the chunks of a stream in order, into what is kept. `undefined`: cannot be kept. */
  keep(
    call: Call,
    head: ReplyHead,
    body: { readonly value: unknown } | { readonly chunks: readonly unknown[] },
  ): KeptAnswer | undefined;
  /** Turns what was kept into a reply of the shape this call asks for. `undefined`: the entry cannot serve it. */
  replay(call: Call, kept: KeptAnswer): Reply | undefined;
}
