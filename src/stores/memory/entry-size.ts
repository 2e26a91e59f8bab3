import type { Entry } from "../../core/index.ts";

// The objects around the texts, and the places of an entry in the map, in the order of expiry, in the eviction policy
// and in its memory of what went: measured in heaps of 60,000 entries, on the side of caution.
const ENTRY_BYTES = 800;
const TEXT_BYTES = 20;
const HEADER_BYTES = 114;
const TAG_BYTES = 120;
const USAGE_BYTES = 60;

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
  bytes += textBytes(entry.label) + textBytes(entry.owner);
  if (entry.model !== undefined) bytes += TEXT_BYTES + textBytes(entry.model);
  if (entry.usage !== undefined) bytes += USAGE_BYTES;
  for (const [name, value] of head.headers) bytes += HEADER_BYTES + textBytes(name) + textBytes(value);
  for (const tag of Object.keys(entry.tags)) bytes += TAG_BYTES + textBytes(tag);
  return bytes;
}
