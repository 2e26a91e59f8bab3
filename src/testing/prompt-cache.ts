import { digestOf } from "./chance.ts";

const PREFIX_CHARS = 4096;
const PREFIX_TOKENS = 1024;
const KEPT_MS = 600_000;
const PREFIXES_MAX = 1000;

/**
 * The provider's own cache of long prompts: the first 1,024 tokens count as cached when a prompt of the same model
 * began with the same text within the last ten minutes.
 */
export class PromptCache {
  #seenAt = new Map<string, number>();

  /** The cached tokens of `prompt`, which is remembered from now on. */
  use(model: string, prompt: string, now: number): number {
    if (prompt.length < PREFIX_CHARS) return 0;
    const key = digestOf("prefix", model, prompt.slice(0, PREFIX_CHARS));
    const seenAt = this.#seenAt.get(key);
    // Deleted and set again, so that the map stays in order of use.
    this.#seenAt.delete(key);
    this.#seenAt.set(key, now);
    if (this.#seenAt.size > PREFIXES_MAX) this.#seenAt.delete(this.#seenAt.keys().next().value as string);
    return seenAt !== undefined && now - seenAt <= KEPT_MS ? PREFIX_TOKENS : 0;
  }
}
