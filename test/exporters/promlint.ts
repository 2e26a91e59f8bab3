import type { ParsedFamily } from "./exposition.ts";

/**
 * The rules of `promtool check metrics`, for machines that do not have it.
 *
 * Source: prometheus/client_golang, prometheus/testutil/promlint/validations.
 */
export function promlint(families: readonly ParsedFamily[]): string[] {
  return families.flatMap((family) => RULES.flatMap((rule) => rule(family).map((text) => `${family.name} ${text}`)));
}

const BASE_UNITS = ["amperes", "bytes", "celsius", "grams", "joules", "kelvin", "meters", "metres", "seconds", "volts"];
const OTHER_UNITS: Readonly<Record<string, string>> = {
  ...{ minutes: "seconds", hours: "seconds", days: "seconds", weeks: "seconds" },
  ...{ kelvins: "kelvin", fahrenheit: "celsius", rankine: "celsius" },
  ...{ inches: "meters", yards: "meters", miles: "meters", bits: "bytes" },
  ...{ calories: "joules", pounds: "grams", ounces: "grams" },
};
const PREFIX = /^(pico|nano|micro|milli|centi|deci|deca|hecto|kilo|kibi|mega|mebi|mibi|giga|gibi|tera|tebi|peta|pebi)/;
const ABBREVIATIONS = ["s", "ms", "us", "ns", "sec", "b", "kb", "mb", "gb", "tb", "pb", "m", "h", "d"];
const CAMEL_CASE = /[a-z][A-Z]/;

const RULES: readonly ((family: ParsedFamily) => string[])[] = [
  ({ help }) => (help === undefined || help === "" ? ["has no help text"] : []),
  ({ name }) => unitProblem(name),
  ({ name, type }) => {
    if (type === "counter") return name.endsWith("_total") ? [] : ['is a counter and should end with "_total"'];
    return name.endsWith("_total") ? ['is no counter and should not end with "_total"'] : [];
  },
  ({ name, type }) =>
    type !== "histogram" && /_(bucket|count|sum)$/.test(name) ? ["ends like a line of a histogram"] : [],
  ({ samples, type }) =>
    samples.flatMap(({ labels }) => [
      ...("le" in labels && type !== "histogram" ? ['has the label "le" of histograms'] : []),
      ...("quantile" in labels && type !== "summary" ? ['has the label "quantile" of summaries'] : []),
      ...Object.keys(labels)
        .filter((key) => CAMEL_CASE.test(key))
        .map((key) => `has the label ${key}, which is not snake_case`),
    ]),
  ({ name, type }) => (words(name).includes(type) ? ["has its type in its name"] : []),
  ({ name }) => (name.includes(":") ? ['has a ":"'] : []),
  ({ name }) => (CAMEL_CASE.test(name) ? ["is not snake_case"] : []),
  ({ name }) =>
    ABBREVIATIONS.filter((unit) => words(name).includes(unit)).map((unit) => `has the abbreviated unit ${unit}`),
];

// The first unit in the name decides.
function unitProblem(name: string): string[] {
  for (const word of words(name)) {
    if (BASE_UNITS.includes(word)) return [];
    const bare = word.replace(PREFIX, "");
    const base = OTHER_UNITS[bare] ?? (BASE_UNITS.includes(bare) ? bare : undefined);
    if (base !== undefined) return [`should use ${base}, not ${word}`];
  }
  return [];
}

function words(name: string): string[] {
  return name.toLowerCase().split("_");
}
