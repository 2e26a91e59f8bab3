import { NotCanonicalError } from "../core/index.ts";

// Below what `canonical` accepts, so that a cycle ends here.
const DEPTH_MAX = 60;

/**
 * Arguments of a function in a form that a cache key can be made of. Injective: arguments that a function can tell
 * apart by their content have different forms, also where JSON would confuse them (`undefined` and `null`, a date and
 * its text, `1n` and `1`).
 *
 * Throws {@link NotCanonicalError} for what has no content to go by (functions, symbols, class instances without
 * `toJSON`, cycles), and whatever a getter throws.
 */
export function keyMaterial(value: unknown): unknown {
  return tagged(value, 0);
}

// Whatever is not JSON becomes a list with a word in front; so does every list, to keep the two apart.
function tagged(value: unknown, depth: number): unknown {
  if (depth > DEPTH_MAX) throw new NotCanonicalError(`nested deeper than ${DEPTH_MAX} levels`);
  switch (typeof value) {
    case "undefined":
      return ["undefined"];
    case "bigint":
      return ["bigint", String(value)];
    case "object":
      return value === null ? null : taggedObject(value, depth + 1);
    default:
      return value;
  }
}

function taggedObject(value: object, depth: number): unknown {
  if (Array.isArray(value)) return ["array", ...Array.from(value, (item: unknown) => tagged(item, depth))];
  if (value instanceof Date) return ["date", value.getTime()];
  if (value instanceof Map) return ["map", ...Array.from(value, (entry) => tagged(entry, depth))];
  if (value instanceof Set) return ["set", ...Array.from(value, (item) => tagged(item, depth))];
  if (ArrayBuffer.isView(value)) {
    return [value.constructor.name, new Uint8Array(value.buffer, value.byteOffset, value.byteLength)];
  }
  const prototype = Object.getPrototypeOf(value);
  if (prototype === Object.prototype || prototype === null) return plainObject(value, depth);
  if ("toJSON" in value && typeof value.toJSON === "function") {
    return ["json", value.constructor.name, tagged(value.toJSON(), depth)];
  }
  throw new NotCanonicalError("an instance of a class has no canonical form");
}

function plainObject(value: object, depth: number): unknown {
  if (Object.getOwnPropertySymbols(value).length > 0) throw new NotCanonicalError("a symbol has no canonical form");
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, tagged(member, depth)]));
}
