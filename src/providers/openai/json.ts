export type JsonObject = Readonly<Record<string, unknown>>;

const EMPTY: JsonObject = {};

/** The parsed value, or `undefined` for text that is not JSON. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The object, or an empty one. */
export function objectOf(value: unknown): JsonObject {
  return isObject(value) ? value : EMPTY;
}

/** The objects in an array; nothing for anything else. */
export function objectsIn(value: unknown): readonly JsonObject[] {
  return Array.isArray(value) ? value.filter(isObject) : [];
}

/** The text, or `undefined` for an empty one and for anything else. */
export function textOf(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}

/** The number that a value is or spells; `NaN` for anything else. `Number` itself throws for some objects. */
export function numberOf(value: unknown): number {
  return typeof value === "number" || typeof value === "string" ? Number(value) : Number.NaN;
}

/** False for what says nothing: absent, `null`, empty text, an empty array. */
export function isFilled(value: unknown): boolean {
  return value !== undefined && value !== null && value !== "" && !(Array.isArray(value) && value.length === 0);
}

/** Whether text is JSON, as the arguments of a tool call have to be. */
export function isJsonText(value: unknown): boolean {
  return typeof value === "string" && parseJson(value) !== undefined;
}
