import { integerIn, knownKeys, OptionError, textOf } from "../core/index.ts";

/** A prompt with places to fill: `{ template: "Explain {topic}", values: { topic: ["rain", "snow"] } }`. */
export interface PromptPattern {
  /** `{name}` is a place for a value; `{{name}}` stands for the text `{name}`. Other braces are text. */
  readonly template: string;
  /** For each place its values. */
  readonly values: Readonly<Record<string, readonly (string | number)[]>>;
}

export interface PromptsOptions {
  /** Most prompts that the patterns may make together. At least 1. Default 10,000. */
  readonly max?: number | undefined;
}

/** Prompts that are made one by one as they are read, and can be read any number of times. */
export interface Prompts extends Iterable<string> {
  readonly size: number;
}

const PROMPTS_MAX = 10_000;

const TEMPLATE_LENGTH_MAX = 1_000_000;
const PLACE = /\{\{(\w+)\}\}|\{(\w+)\}/g;

/**
 * Every combination of values in every pattern; the last place of a template changes fastest.
 *
 * Throws `OptionError` for a place without values, values without a place, and more than `max` prompts.
 */
export function prompts(patterns: PromptPattern | readonly PromptPattern[], options: PromptsOptions = {}): Prompts {
  knownKeys("prompts", options, ["max"]);
  const max = integerIn("prompts.max", options.max ?? PROMPTS_MAX, 1);
  const read = [patterns].flat().map(readPattern);
  const size = read.reduce(
    (sum, { places }) => sum + places.reduce((product, { values }) => product * values.length, 1),
    0,
  );
  if (size > max) throw new OptionError("prompts.max", max, `at least ${size}: as many prompts do the patterns make`);
  return {
    size,
    *[Symbol.iterator]() {
      for (const pattern of read) yield* filled(pattern, new Map());
    },
  };
}

interface Place {
  readonly name: string;
  readonly values: readonly (string | number)[];
}

interface Read {
  readonly template: string;
  readonly places: readonly Place[];
}

function readPattern(pattern: PromptPattern): Read {
  knownKeys("prompts.pattern", pattern, ["template", "values"]);
  const { template, values } = pattern;
  textOf("prompts.template", template, TEMPLATE_LENGTH_MAX);
  knownKeys("prompts.values", values, Object.keys(values ?? {}));
  const named = [...template.matchAll(PLACE)].flatMap(([, , name]) => (name === undefined ? [] : [name]));
  const names = [...new Set(named)];
  for (const name of Object.keys(values)) {
    if (!names.includes(name))
      throw new OptionError(
        `prompts.values.${name}`,
        values[name],
        `no values without a place {${name}} in the template`,
      );
  }
  const places = names.map((name) => ({
    name,
    values: valuesOf(name, Object.hasOwn(values, name) ? values[name] : undefined),
  }));
  return { template, places };
}

function valuesOf(name: string, values: unknown): Place["values"] {
  const good = (value: unknown): boolean => typeof value === "string" || typeof value === "number";
  if (Array.isArray(values) && values.length > 0 && values.every(good)) return [...values];
  throw new OptionError(
    `prompts.values.${name}`,
    values,
    `texts or numbers for {${name}}; write {{${name}}} where it is text`,
  );
}

function* filled({ template, places }: Read, chosen: Map<string, string>): Generator<string> {
  const place = places[chosen.size];
  if (place === undefined) {
    yield template.replace(PLACE, (_, text: string | undefined, name: string) =>
      text === undefined ? (chosen.get(name) ?? "") : `{${text}}`,
    );
    return;
  }
  for (const value of place.values) yield* filled({ template, places }, new Map(chosen).set(place.name, String(value)));
}
