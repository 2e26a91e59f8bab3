import type { Random } from "../core/index.ts";
import { digestOf, logNormal, randomOf } from "./chance.ts";
import type { ReadFault } from "./provider-faults.ts";
import type { Settings } from "./provider-options.ts";
import { type Asked, type JsonSchema, recordOf } from "./provider-request.ts";

export type Finish = "stop" | "length" | "tool_calls" | "content_filter";

/** One choice of an answer, in pieces of one token each. */
export interface Choice {
  readonly pieces: readonly string[];
  /** The tool that `pieces` are the arguments of. */
  readonly tool: string | undefined;
  readonly finish: Finish;
}

export interface Answer {
  readonly choices: readonly Choice[];
  readonly reasoningTokens: number;
  /** Of all choices, with the reasoning. */
  readonly outputTokens: number;
  /** The tokens of the longest choice: how many steps a stream has. */
  readonly steps: number;
}

const WORDS =
  "harbour stone light water tide morning signal quiet river measure open field north paper glass winter".split(" ");
const SCHEMA_DEPTH_MAX = 8;
const JSON_PIECE_CHARS = 4;

/**
 * The answer to a request. It depends on the seed, the model and the whole prompt and on nothing else, so the same
 * question always gets the same answer, and no two questions get the same one (its first word is a digest of them).
 */
export function answerTo(asked: Asked, settings: Settings, fault?: ReadFault): Answer {
  const choices = Array.from({ length: asked.choices }, (_, index) => choiceOf(asked, settings, index, fault));
  const visible = choices.reduce((sum, { pieces }) => sum + pieces.length, 0);
  return {
    choices,
    reasoningTokens: asked.reasoningTokens,
    outputTokens: visible + asked.reasoningTokens,
    steps: Math.max(...choices.map(({ pieces }) => pieces.length)),
  };
}

/** A unit vector that depends on the model and the text: equal texts are equal, others are unrelated. */
export function embeddingOf(model: string, text: string, dimensions: number): number[] {
  const random = randomOf("embedding", model, text);
  const raw = Array.from({ length: dimensions }, () => random() * 2 - 1);
  const length = Math.sqrt(raw.reduce((sum, value) => sum + value * value, 0));
  return raw.map((value) => Math.fround(value / length));
}

function choiceOf(asked: Asked, settings: Settings, index: number, fault: ReadFault | undefined): Choice {
  const identity = [settings.seed, asked.model, asked.prompt, index] as const;
  const random = randomOf(...identity);
  const drawn = Math.max(1, Math.round(logNormal(settings.outputTokens, random)));
  const room = asked.maxTokens ?? Number.POSITIVE_INFINITY;
  // A drawn length is how long the answer wants to be, so max_tokens shapes it; only a hint can ask for too much.
  const wanted = Math.max(1, asked.wantedTokens ?? Math.min(drawn, room));
  const digest = digestOf(...identity);
  const tool = asked.tool?.name;
  const schema = asked.tool?.parameters ?? asked.jsonSchema;
  const whole = schema === undefined ? wordsOf(digest, wanted, random) : jsonPieces(schema, digest, wanted, random);
  return ended(whole, tool, schema === undefined ? room : Number.POSITIVE_INFINITY, fault);
}

function ended(
  pieces: readonly string[],
  tool: string | undefined,
  room: number,
  fault: ReadFault | undefined,
): Choice {
  const half = Math.ceil(pieces.length / 2);
  if (fault?.kind === "contentFilter") return { pieces: pieces.slice(0, half), tool, finish: "content_filter" };
  if (fault?.kind === "lengthFinish") return { pieces: pieces.slice(0, half), tool, finish: "length" };
  if (pieces.length > room) return { pieces: pieces.slice(0, room), tool, finish: "length" };
  return { pieces, tool, finish: tool === undefined ? "stop" : "tool_calls" };
}

function wordsOf(first: string, count: number, random: Random): readonly string[] {
  return Array.from({ length: count }, (_, index) => (index === 0 ? first : ` ${word(random)}`));
}

function word(random: Random): string {
  return WORDS[Math.floor(random() * WORDS.length)] as string;
}

function jsonPieces(schema: JsonSchema, digest: string, wanted: number, random: Random): readonly string[] {
  const text = wordsOf(digest, Math.min(wanted, 16), random).join("");
  const value = Object.keys(schema).length === 0 ? { answer: text } : sample(schema, text, random, 0);
  return JSON.stringify(value).match(new RegExp(`[^]{1,${JSON_PIECE_CHARS}}`, "g")) ?? ["{}"];
}

// Enough of JSON Schema for structured outputs: types, properties, items, enum, const and the first of a union.
function sample(schema: JsonSchema, text: string, random: Random, depth: number): unknown {
  if (depth > SCHEMA_DEPTH_MAX) return null;
  if ("const" in schema) return schema["const"];
  if (Array.isArray(schema["enum"])) return schema["enum"][Math.floor(random() * schema["enum"].length)];
  const union = schema["anyOf"] ?? schema["oneOf"];
  if (Array.isArray(union)) return sample(recordOf(union[0]), text, random, depth + 1);
  const type = Array.isArray(schema["type"]) ? schema["type"][0] : schema["type"];
  if (type === "string") return text;
  if (type === "integer" || type === "number") return Math.floor(random() * 100);
  if (type === "boolean") return random() < 0.5;
  if (type === "null") return null;
  if (type === "array") return [sample(recordOf(schema["items"]), text, random, depth + 1)];
  const properties = Object.entries(recordOf(schema["properties"]));
  return Object.fromEntries(properties.map(([name, of]) => [name, sample(recordOf(of), text, random, depth + 1)]));
}
