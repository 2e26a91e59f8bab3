const DEPTH_MAX = 64;

/** The value cannot be part of a cache key. */
export class NotCanonicalError extends Error {}

/**
 * An injective text form of a JSON-like value: two values have the same text only if they are the same to a
 * provider. Typed and length-prefixed (`s3:abc`, `a2:`, `o1:`), keys sorted, `undefined` members dropped, `-0` is `0`.
 * Text is never trimmed, folded or normalised: tokens differ.
 *
 * Throws {@link NotCanonicalError} for what JSON would lose or confuse: NaN and infinities, functions, symbols,
 * class instances without `toJSON`, and nesting beyond 64 levels (which is how a cycle ends).
 */
export function canonical(value: unknown): string {
  return encode(value, 0);
}

function encode(value: unknown, depth: number): string {
  switch (typeof value) {
    case "string":
      // A lone surrogate becomes U+FFFD when hashed as UTF-8; its escaped form keeps such texts apart.
      return value.isWellFormed() ? `s${value.length}:${value}` : `u${value.length}:${JSON.stringify(value)}`;
    case "number":
      if (!Number.isFinite(value)) throw new NotCanonicalError(`${value} has no JSON form`);
      return `n${value === 0 ? 0 : value};`;
    case "boolean":
      return value ? "t" : "f";
    case "undefined":
      return "z";
    case "object":
      return value === null ? "z" : encodeObject(value, depth + 1);
    default:
      throw new NotCanonicalError(`a ${typeof value} has no JSON form`);
  }
}

function encodeObject(value: object, depth: number): string {
  if (depth > DEPTH_MAX) throw new NotCanonicalError(`nested deeper than ${DEPTH_MAX} levels`);
  if (Array.isArray(value)) {
    let text = `a${value.length}:`;
    for (const item of value) text += encode(item, depth);
    return text;
  }
  if ("toJSON" in value && typeof value.toJSON === "function") return encode(value.toJSON(), depth);
  if (value instanceof Uint8Array) return encodeBytes(value);
  const prototype = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) {
    throw new NotCanonicalError(`an instance of ${value.constructor?.name ?? "a class"} has no JSON form`);
  }
  const record = value as Record<string, unknown>;
  let count = 0;
  let members = "";
  for (const key of Object.keys(record).sort()) {
    const member = record[key];
    if (member === undefined) continue;
    count++;
    members += encode(key, depth) + encode(member, depth);
  }
  return `o${count}:${members}`;
}

function encodeBytes(bytes: Uint8Array): string {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return `b${bytes.byteLength}:${view.toString("base64")}`;
}
