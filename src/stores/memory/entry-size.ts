import type { Entry } from "../../core/index.ts";

// The objects of an entry and its places in the map and the list, measured in a heap of 50,000 entries.
const ENTRY_BYTES = 600;
const HEADER_BYTES = 80;
const TAG_BYTES = 40;

// A string takes one byte a character until a single one is beyond Latin-1; then each takes two.
const BEYOND_LATIN1 = /[\u0100-\uffff]/;

/** Bytes of the characters of `text` in the heap. */
export function textBytes(text: string): number {
  return BEYOND_LATIN1.test(text) ? text.length * 2 : text.length;
}

/** Bytes that keeping `entry` under `key` takes in the heap, all included. */
export function entryBytes(key: string, entry: Entry): number {
  const { text, head } = entry.answer;
  let bytes = ENTRY_BYTES + textBytes(key) + textBytes(text) + textBytes(entry.check);
  if (entry.model !== undefined) bytes += textBytes(entry.model);
  for (const [name, value] of head.headers) bytes += HEADER_BYTES + textBytes(name) + textBytes(value);
  for (const tag of Object.keys(entry.tags)) bytes += TAG_BYTES + textBytes(tag);
  return bytes;
}
