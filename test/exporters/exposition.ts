/** Reads what a Prometheus server would read, and is as strict as the formats are. */

export interface ParsedSample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface ParsedFamily {
  readonly name: string;
  readonly type: string;
  readonly help: string | undefined;
  readonly unit: string | undefined;
  readonly samples: ParsedSample[];
}

const COMMENT = /^# (HELP|TYPE|UNIT) ([a-zA-Z_:][a-zA-Z0-9_:]*) ([^\n]*)$/;
const SAMPLE = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{([^\n]*)\})? (\S+)$/;
const LABEL = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\"n])*)"(,|$)/y;

/** Throws for a line that is none, a name that comes back later, or a sample outside of its family. */
export function parseExposition(text: string): ParsedFamily[] {
  if (text !== "" && !text.endsWith("\n")) throw new Error("the last line does not end");
  const families: { -readonly [K in keyof ParsedFamily]: ParsedFamily[K] }[] = [];
  for (const line of text.split("\n").slice(0, -1)) {
    if (line === "# EOF") continue;
    const [, keyword, name, rest] = COMMENT.exec(line) ?? [];
    let family = families.at(-1);
    if (keyword !== undefined && name !== undefined && rest !== undefined) {
      if (family?.name !== name) {
        if (families.some((other) => other.name === name)) throw new Error(`${name} comes twice`);
        family = { name, type: "untyped", help: undefined, unit: undefined, samples: [] };
        families.push(family);
      }
      if (keyword === "HELP") family.help = unescaped(rest);
      if (keyword === "TYPE") family.type = rest;
      if (keyword === "UNIT") family.unit = rest;
      continue;
    }
    const sample = parseSample(line);
    if (family === undefined || !belongs(sample.name, family)) throw new Error(`outside of its family: ${line}`);
    family.samples.push(sample);
  }
  return families;
}

function parseSample(line: string): ParsedSample {
  const [, name, set = "", number] = SAMPLE.exec(line) ?? [];
  if (name === undefined || number === undefined) throw new Error(`not a line of the format: ${line}`);
  const labels: Record<string, string> = {};
  LABEL.lastIndex = 0;
  while (LABEL.lastIndex < set.length) {
    const [, key, value] = LABEL.exec(set) ?? [];
    if (key === undefined || value === undefined) throw new Error(`not a label set: ${line}`);
    if (Object.hasOwn(labels, key)) throw new Error(`the label ${key} comes twice: ${line}`);
    labels[key] = unescaped(value);
  }
  return { name, labels, value: Number(number) };
}

function belongs(sample: string, { name, type }: ParsedFamily): boolean {
  if (type === "histogram") return ["_bucket", "_sum", "_count"].some((suffix) => sample === name + suffix);
  return sample === name || (type === "counter" && sample === `${name}_total`);
}

function unescaped(text: string): string {
  return text.replace(/\\([\\"n])/g, (_, character: string) => (character === "n" ? "\n" : character));
}

/** One text for each series, whatever the order of its labels. */
export function seriesKey({ name, labels }: ParsedSample): string {
  return JSON.stringify([name, Object.entries(labels).sort()]);
}

/** Of a user's own metrics: those of the tests. */
export function own(families: readonly ParsedFamily[]): ParsedFamily[] {
  return families.filter(({ name }) => name.startsWith("app_"));
}
