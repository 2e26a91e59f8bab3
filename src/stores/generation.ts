import { randomBytes } from "node:crypto";

/** Bytes of a generation. */
export const GENERATION_BYTES = 16;

/**
 * The mark of everything a namespace holds until it is next cleared. It is stored beside the entries and within
 * each of them, and an entry of another generation is not there: so clearing is one small write, however
 * much there is.
 *
 * Random and never a count: a count that the server forgets starts again, and what was cleared long ago would come
 * back. Random of the system and never of the runtime's seed: two processes must not draw the same.
 */
export function newGeneration(): Buffer {
  return randomBytes(GENERATION_BYTES);
}
