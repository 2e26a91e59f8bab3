const DEPTH_MAX = 64;
const OTHER_BYTES = 8;

/** A copy of plain data, and about how many bytes it takes. */
export interface PlainCopy {
  readonly value: unknown;
  readonly bytes: number;
}

/**
 * Copies objects, arrays and what they hold, so that nobody who changes the original changes the copy. What is not
 * plain data (class instances, functions, what lies deeper than 64 levels) is not copied: it stays itself.
 */
export function plainCopy(value: unknown): PlainCopy {
  if (typeof value === "string") return { value, bytes: value.length };
  const tally = { bytes: 0 };
  return { value: copied(value, tally, 0), bytes: tally.bytes };
}

function copied(value: unknown, tally: { bytes: number }, depth: number): unknown {
  if (typeof value === "string") tally.bytes += value.length;
  else tally.bytes += OTHER_BYTES;
  if (typeof value !== "object" || value === null || depth >= DEPTH_MAX) return value;
  if (Array.isArray(value)) return value.map((item) => copied(item, tally, depth + 1));
  if (value instanceof Uint8Array) tally.bytes += value.byteLength;
  if (Object.getPrototypeOf(value) !== Object.prototype || Object.getOwnPropertySymbols(value).length > 0) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, member]) => {
      tally.bytes += key.length;
      return [key, copied(member, tally, depth + 1)];
    }),
  );
}
