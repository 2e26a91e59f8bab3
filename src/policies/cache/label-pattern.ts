import { knownKeys, labelSegment, OptionError, textOf } from "../../core/index.ts";

/**
 * Which entries an invalidation takes: those whose call had exactly these texts. What is left out may be anything, none
 * included. At least one must be given.
 */
export interface CallPattern {
  readonly client?: string | undefined;
  /** OpenTelemetry `gen_ai.operation.name`: `chat`, `responses`, `embeddings`, or your own word. */
  readonly operation?: string | undefined;
  readonly model?: string | undefined;
  readonly route?: string | undefined;
}

/** A label in its parts: client, operation, model and route as the call had them. */
export type LabelParts = readonly string[];

export type LabelMatcher = (parts: LabelParts) => boolean;

const SEGMENTS = ["client", "operation", "model", "route"] as const;
const TEXT_MAX = 1024;
const PATTERN_MAX = 4 * 1024;
const ACCEPTED =
  'a pattern "client/operation/model/route" such as "tenant3/*/gpt-4o*/*" (* stands for any text; %, / and * themselves ' +
  "are written %25, %2F and %2A), or an object with at least one of client, operation, model and route";

/** Everything that has a label. */
export const ANY_LABEL = "*/*/*/*";

/** Reads a pattern into its text form. Throws `OptionError`. */
export function readPattern(option: string, value: unknown): string {
  if (typeof value === "string") {
    if (matcherOf(value) === undefined) throw new OptionError(option, value, ACCEPTED);
    return value;
  }
  const given = knownKeys(option, value, SEGMENTS);
  if (SEGMENTS.every((name) => given[name] === undefined)) throw new OptionError(option, value, ACCEPTED);
  return SEGMENTS.map((name) => {
    const text = given[name];
    return text === undefined ? "*" : labelSegment(textOf(`${option}.${name}`, text, TEXT_MAX));
  }).join("/");
}

/** What `pattern` matches; `undefined` for a text that is no pattern. */
export function matcherOf(pattern: string): LabelMatcher | undefined {
  if (pattern.length > PATTERN_MAX) return undefined;
  const segments = pattern.split("/").map((segment) => segment.split("*").map(unescaped));
  if (segments.length !== SEGMENTS.length) return undefined;
  const known: string[][] = [];
  for (const literals of segments) {
    if (!literals.every((literal) => literal !== undefined)) return undefined;
    known.push(literals);
  }
  return (parts) => known.every((literals, index) => segmentMatches(literals, parts[index] ?? ""));
}

/** Whether a `Call.label` matches `pattern`, in either form. Throws `OptionError`. */
export function labelMatcher(option: string, pattern: string | CallPattern): (label: string) => boolean {
  const matches = matcherOf(readPattern(option, pattern));
  return (label) => matches?.(partsOf(label)) === true;
}

/** `Call.label` in its parts. */
export function partsOf(label: string): LabelParts {
  const segments = label.split("/");
  // Escapes are resolved before anything is compared: a `*` must not stand for half of one.
  return label.includes("%") ? segments.map((segment) => unescaped(segment) ?? segment) : segments;
}

const ESCAPE = /%(..?)?/g;
const ESCAPED: Readonly<Record<string, string>> = { "25": "%", "2F": "/", "2A": "*" };

function unescaped(text: string): string | undefined {
  if (!text.includes("%")) return text;
  let sound = true;
  const plain = text.replace(ESCAPE, (_escape, code: string | undefined) => {
    const char = code === undefined ? undefined : ESCAPED[code];
    if (char === undefined) sound = false;
    return char ?? "";
  });
  return sound ? plain : undefined;
}

/** Whether `text` is `literals` in their order with anything between them: each is taken where it first fits. */
function segmentMatches(literals: readonly string[], text: string): boolean {
  const first = literals[0] as string;
  if (literals.length === 1) return text === first;
  const last = literals[literals.length - 1] as string;
  if (!text.startsWith(first)) return false;
  let at = first.length;
  for (let index = 1; index < literals.length - 1; index++) {
    const literal = literals[index] as string;
    const found = text.indexOf(literal, at);
    if (found < 0) return false;
    at = found + literal.length;
  }
  return text.length - at >= last.length && text.endsWith(last);
}
