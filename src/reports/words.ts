import type { Measure } from "./measures/index.ts";
import type { RecommendedChange } from "./recommendations/index.ts";
import type { Degradation, KindReport, Summary } from "./summary.ts";

/** A table as text: the first row is the head. */
export type Table = readonly (readonly string[])[];

const NOTHING = "-";

export function titleOf({ from, to }: Summary): string {
  return `Report from ${minuteOf(from)} to ${minuteOf(to)} UTC`;
}

function minuteOf(at: number): string {
  return new Date(at).toISOString().slice(0, 16).replace("T", " ");
}

/** The figures of all calls, each with its name. */
export function figuresOf({ total, health }: Summary): Table {
  const { calls, answered, unanswered, shared, attempts, throttled, timeouts } = total;
  return [
    ["figure", "value"],
    ["health", health?.score === undefined ? NOTHING : `${health.score} of 100`],
    ["calls", wholeOf(calls)],
    ["answered", `${wholeOf(answered)} (${percentOf(answered, answered + unanswered)})`],
    ["from the cache or shared", `${wholeOf(shared)} (${percentOf(shared, calls)})`],
    ["attempts", wholeOf(attempts)],
    ["refused by the provider's limit", `${wholeOf(throttled)} (${percentOf(throttled, attempts)})`],
    ["timeouts", wholeOf(timeouts)],
    ["duration p50 / p95 / p99", spreadOf(total.duration)],
    ["first content p50 / p95 / p99", spreadOf(total.firstChunk)],
    ["tokens in / out", `${wholeOf(total.inputTokens)} / ${wholeOf(total.outputTokens)}`],
    ["cost / saved", `${dollars(total.cost)} / ${dollars(total.saved)}`],
  ];
}

const LABELS = ["op", "provider", "model", "client", "route"] as const;

export function kindsOf({ kinds }: Summary): Table {
  const first: Partial<KindReport> = kinds[0] ?? { op: "", provider: "", model: "" };
  const labels = LABELS.filter((label) => first[label] !== undefined);
  const names = labels.map((label) => (label === "op" ? "operation" : label));
  return [
    [...names, "calls", "answered", "p50", "p95", "p99", "first content p95", "cost"],
    ...kinds.map((kind) => [
      ...labels.map((label) => kind[label] ?? ""),
      wholeOf(kind.calls),
      percentOf(kind.answered, kind.answered + kind.unanswered),
      msOf(kind.duration?.p50),
      msOf(kind.duration?.p95),
      msOf(kind.duration?.p99),
      msOf(kind.firstChunk?.p95),
      dollars(kind.cost),
    ]),
  ];
}

const MEASURE_NAMES: Readonly<Record<Measure, string>> = {
  answered: "answered",
  p95: "duration p95",
  firstChunkP95: "first content p95",
  throttled: "refused by the provider's limit",
  costPerAnswer: "cost of an answer",
};

function measureText(measure: Measure, value: number | undefined): string {
  if (value === undefined) return NOTHING;
  if (measure === "answered" || measure === "throttled") return percentOf(value, 1);
  return measure === "costPerAnswer" ? dollars(value) : msOf(value);
}

export function degradationsOf({ degradations }: Summary): Table {
  return [
    ["of", "measure", "before", "now", "n before", "n now"],
    ...degradations.map((one) => [
      whoseOf(one),
      MEASURE_NAMES[one.measure],
      measureText(one.measure, one.before),
      measureText(one.measure, one.after),
      wholeOf(one.n.before),
      wholeOf(one.n.after),
    ]),
  ];
}

function whoseOf(one: Degradation): string {
  return LABELS.flatMap((label) => one[label] ?? []).join(" ") || "all calls";
}

export function comparisonText({ comparedWith, degradations }: Summary): string {
  if (comparedWith === undefined) return "There is nothing earlier to compare with.";
  const { from, to, calls } = comparedWith;
  const against = `${minuteOf(from)} to ${minuteOf(to)} (n = ${wholeOf(calls)})`;
  return degradations.length === 0
    ? `Nothing got worse, beyond chance, than from ${against}.`
    : `Worse, beyond chance, than from ${against}:`;
}

export function reasonsOf({ health }: Summary): Table {
  return [
    ["points lost", "check", "why"],
    ...(health?.reasons ?? []).map(({ points, check, detail }) => [String(points), check, detail]),
  ];
}

export function recommendationsOf({ recommendations = [] }: Summary): Table {
  return [
    ["what", "evidence", "advice", "change", "undo when"],
    ...recommendations.map(({ title, evidence, advice, change, undoWhen }) => [
      title,
      Object.entries(evidence)
        .map(([name, value]) => `${name} ${value}`)
        .join(", "),
      advice,
      change === undefined ? NOTHING : changeText(change),
      undoWhen,
    ]),
  ];
}

function changeText({ option, from, to }: RecommendedChange): string {
  const text = option.startsWith("timeout.") ? msOf : (value: number): string => String(value);
  return `${option}: ${from === undefined ? "none" : text(from)} to ${text(to)}`;
}

function spreadOf(spread: KindReport["duration"]): string {
  if (spread === undefined) return NOTHING;
  return `${msOf(spread.p50)} / ${msOf(spread.p95)} / ${msOf(spread.p99)} (n = ${wholeOf(spread.count)})`;
}

function msOf(value: number | undefined): string {
  if (value === undefined) return NOTHING;
  return value >= 10_000 ? `${(value / 1000).toFixed(1)} s` : `${Number(value.toPrecision(3))} ms`;
}

function dollars(value: number | undefined): string {
  return value === undefined ? NOTHING : `$${value >= 1 ? value.toFixed(2) : Number(value.toPrecision(3))}`;
}

function percentOf(part: number, whole: number): string {
  return whole === 0 ? NOTHING : `${((part / whole) * 100).toFixed(1)} %`;
}

function wholeOf(value: number): string {
  return Math.round(value).toLocaleString("en-US");
}
