import { isDeepStrictEqual } from "node:util";
import type { Random } from "../../src/core/index.ts";

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json | undefined };
export type JsonObject = { readonly [key: string]: Json | undefined };

// Texts that look like one another or like parts of an encoding, beside ordinary ones.
const TEXTS = [
  "",
  " ",
  "a",
  "b",
  "ab",
  "a b",
  "s1:a",
  "a1:",
  "o1:",
  "z",
  "t",
  "0",
  "1",
  "null",
  "é",
  "e\u0301",
  "\u0000",
  "日本",
  "😀",
];
const KEYS = ["model", "temperature", "top_p", "input", "messages", "role", "content", "tools", "seed", "a", "b", "ab"];
const NUMBERS = [0, 1, -1, 0.5, 0.1, 10, 100, 1e21, 1e-7, Number.MAX_SAFE_INTEGER];

const pick = <T>(random: Random, list: readonly T[]): T => list[Math.floor(random() * list.length)] as T;

/** A JSON value of few and confusable parts. */
function randomJson(random: Random, depth = 0): Json {
  const kind = random();
  if (depth > 3 || kind < 0.3) return pick(random, TEXTS) + (random() < 0.3 ? pick(random, TEXTS) : "");
  if (kind < 0.45) return pick(random, NUMBERS);
  if (kind < 0.55) return pick(random, [null, true, false]);
  const size = Math.floor(random() * 4);
  if (kind < 0.75) return Array.from({ length: size }, () => randomJson(random, depth + 1));
  return Object.fromEntries(Array.from({ length: size }, () => [pick(random, KEYS), randomJson(random, depth + 1)]));
}

/** Something like the body of a request: at least three fields. */
export function randomRequest(random: Random): JsonObject {
  return {
    model: pick(random, TEXTS),
    temperature: pick(random, NUMBERS),
    ...Object.fromEntries(KEYS.slice(2, 2 + Math.ceil(random() * 6)).map((key) => [key, randomJson(random)])),
  };
}

/** The same, but for one field: changed, added, removed, or moved to another name. */
export function changedInOneField(request: JsonObject, random: Random): JsonObject {
  for (;;) {
    const key = pick(random, Object.keys(request));
    const { [key]: value, ...rest } = request;
    const how = random();
    let changed: JsonObject;
    if (how < 0.6) changed = { ...request, [key]: near(value, random) };
    else if (how < 0.75) changed = rest;
    else changed = { ...rest, [pick(random, KEYS)]: value };
    // -0 and 0, and a member that is undefined and one that is missing, are the same to a provider.
    if (!isDeepStrictEqual(JSON.parse(JSON.stringify(changed)), JSON.parse(JSON.stringify(request)))) return changed;
  }
}

/** Another value that is easily taken for this one. */
function near(value: Json | undefined, random: Random): Json {
  if (typeof value === "string")
    return pick(random, [`${value} `, value.normalize("NFD"), [value], `${value}a`, value.slice(1), null]);
  if (typeof value === "number") return pick(random, [String(value), value + 1, value / 10, [value], null]);
  if (Array.isArray(value))
    return pick(random, [value.slice(1), [...value, null], [value], value.toReversed(), JSON.stringify(value)]);
  if (typeof value === "object" && value !== null)
    return pick(random, [[value], { ...value, x: null }, {}, JSON.stringify(value)]);
  return pick(random, ["null", "true", 0, 1, [], {}]);
}

/** The same to a provider: keys in another order, members that are undefined added. */
export function reordered(value: JsonObject, random: Random): JsonObject {
  return shuffled(value, random) as JsonObject;
}

function shuffled(value: Json | undefined, random: Random): Json | undefined {
  if (Array.isArray(value)) return value.map((item) => shuffled(item, random) as Json);
  if (typeof value !== "object" || value === null) return Object.is(value, 0) && random() < 0.5 ? -0 : value;
  const members = Object.entries(value).map(([key, member]) => [key, shuffled(member, random)] as const);
  const extra = random() < 0.3 ? [["never", undefined] as const] : [];
  return Object.fromEntries([...members, ...extra].sort(() => random() - 0.5));
}
