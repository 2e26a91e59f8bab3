/**
 * Exact counts of prompts, shipped as `breakwater/tiktoken`.
 *
 * @module
 */
import { createRequire } from "node:module";
import { MissingPeerError } from "../../core/index.ts";
import type { TokenCounter } from "../token-counter.ts";
import { type CountText, countedPrompt } from "./counted-prompt.ts";

export type { TokenCounter } from "../token-counter.ts";

let loaded: CountText | undefined;

/**
 * A counter for `rateLimit: { tokens }`: prompts in plain text of up to about 1,400 characters to OpenAI's models since
 * gpt-4o are counted by the package `tiktoken` with its encoding `o200k_base`; everything else is estimated.
 *
 * The first call in a process loads the encoding, which holds the event loop for about a quarter of a second: call it at
 * the start. Throws `MissingPeerError` where the package is not installed.
 */
export function tiktoken(): TokenCounter {
  loaded ??= load();
  const count = loaded;
  return (call) => countedPrompt(call, count);
}

interface Encoding {
  readonly bpe_ranks: string;
  readonly special_tokens: Record<string, number>;
  readonly pat_str: string;
}

function load(): CountText {
  const require = createRequire(import.meta.url);
  try {
    const { Tiktoken } = require("tiktoken/lite") as typeof import("tiktoken/lite");
    const { bpe_ranks, special_tokens, pat_str } = require("tiktoken/encoders/o200k_base.json") as Encoding;
    const encoder = new Tiktoken(bpe_ranks, special_tokens, pat_str);
    // What looks like a special token in a prompt is text.
    return (text) => encoder.encode_ordinary(text).length;
  } catch (cause) {
    throw new MissingPeerError("tiktoken", "tiktoken()", cause);
  }
}
