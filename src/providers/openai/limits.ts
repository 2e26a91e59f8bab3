import type { LimitReading } from "../../core/index.ts";
import { parseDuration } from "./duration.ts";

/** A header's text by its lower-case name. */
export type HeaderLookup = (name: string) => string | null | undefined;

interface Family {
  readonly unit: LimitReading["unit"];
  readonly windowMs: number;
  readonly limit: string;
  readonly remaining: string;
  readonly reset: string;
}

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;

const FAMILIES: readonly Family[] = [
  family("requests", MINUTE_MS, "requests"),
  family("tokens", MINUTE_MS, "tokens"),
  family("tokens", MINUTE_MS, "project-tokens"),
  // Mistral
  family("requests", MINUTE_MS, "req-minute"),
  family("tokens", MINUTE_MS, "tokens-minute"),
  // Cerebras
  family("requests", DAY_MS, "requests-day"),
  // Anthropic; its `tokens` only repeats whichever of its limits is tightest.
  family("requests", MINUTE_MS, "requests", anthropicHeader),
  family("inputTokens", MINUTE_MS, "input-tokens", anthropicHeader),
  family("outputTokens", MINUTE_MS, "output-tokens", anthropicHeader),
];

const LEGACY: Family = {
  unit: "requests",
  windowMs: MINUTE_MS,
  limit: "ratelimit-limit",
  remaining: "ratelimit-remaining",
  reset: "ratelimit-reset",
};

function family(unit: Family["unit"], windowMs: number, name: string, header = usualHeader): Family {
  return {
    unit,
    windowMs,
    limit: header("limit", name),
    remaining: header("remaining", name),
    reset: header("reset", name),
  };
}

function usualHeader(part: string, name: string): string {
  return `x-ratelimit-${part}-${name}`;
}

function anthropicHeader(part: string, name: string): string {
  return `anthropic-ratelimit-${name}-${part}`;
}

/**
 * The limits that headers tell, the tightest of each unit and window: `x-ratelimit-*` of OpenAI, Azure, Groq, Mistral
 * and Cerebras, `anthropic-ratelimit-*`, the IETF draft's `RateLimit` beside `RateLimit-Policy`, and its older three headers.
 * A limit of -1 or 0 means that the provider does not tell. Groq's requests are per day.
 */
export function readLimits(headers: Headers, provider: string): LimitReading[] {
  return limitsFrom((name) => headers.get(name), provider);
}

/** The same, for headers in another form. */
export function limitsFrom(header: HeaderLookup, provider: string): LimitReading[] {
  const tightest = new Map<string, LimitReading>();
  for (const reading of allReadings(header, provider)) {
    const key = `${reading.unit}:${reading.windowMs}`;
    const other = tightest.get(key);
    if (other === undefined || leftIn(reading) < leftIn(other)) tightest.set(key, reading);
  }
  return [...tightest.values()];
}

function allReadings(header: HeaderLookup, provider: string): LimitReading[] {
  const readings = FAMILIES.map((names) => readFamily(header, names, provider));
  readings.push(readDraft(header) ?? readLegacy(header));
  return readings.filter((reading) => reading !== undefined);
}

function leftIn({ remaining, limit }: LimitReading): number {
  return remaining ?? limit ?? Number.POSITIVE_INFINITY;
}

function readFamily(header: HeaderLookup, names: Family, provider: string): LimitReading | undefined {
  const limit = numberIn(header(names.limit));
  const remaining = numberIn(header(names.remaining));
  if (limit === undefined && remaining === undefined) return undefined;
  if ((limit !== undefined && limit <= 0) || (remaining !== undefined && remaining < 0)) return undefined;
  const reset = header(names.reset);
  const resetMs = typeof reset === "string" ? parseDuration(reset) : undefined;
  const { unit } = names;
  const perDay = unit === "requests" && (provider === "groq" || fillsInADay(limit, remaining, resetMs));
  return { unit, windowMs: perDay ? DAY_MS : names.windowMs, limit, remaining, resetMs };
}

// A bucket fills evenly, so the time that the missing part takes tells the time of the whole.
function fillsInADay(limit: number | undefined, remaining: number | undefined, resetMs: number | undefined): boolean {
  if (limit === undefined || remaining === undefined || resetMs === undefined || remaining >= limit) return false;
  const windowMs = (resetMs * limit) / (limit - remaining);
  return Math.abs(windowMs - DAY_MS) < DAY_MS / 10;
}

// https://datatracker.ietf.org/doc/draft-ietf-httpapi-ratelimit-headers/
function readDraft(header: HeaderLookup): LimitReading | undefined {
  const policy = itemOf(header("ratelimit-policy"));
  const state = itemOf(header("ratelimit"));
  if (policy === undefined || state === undefined || policy.name !== state.name) return undefined;
  if (policy.text("qu") !== undefined && policy.text("qu") !== "requests") return undefined;
  const windowSeconds = policy.number("w");
  if (windowSeconds === undefined || windowSeconds <= 0) return undefined;
  const seconds = state.number("t");
  return {
    unit: "requests",
    windowMs: windowSeconds * 1_000,
    limit: policy.number("q"),
    remaining: state.number("r"),
    resetMs: seconds === undefined ? undefined : seconds * 1_000,
  };
}

// The older form does not tell its window; a reset beyond a minute says that it is another one.
function readLegacy(header: HeaderLookup): LimitReading | undefined {
  const reading = readFamily(header, LEGACY, "");
  return reading === undefined || (reading.resetMs ?? 0) > MINUTE_MS ? undefined : reading;
}

interface Item {
  readonly name: string;
  text(parameter: string): string | undefined;
  number(parameter: string): number | undefined;
}

// A structured field with one item. Several are several limits, of which nothing says which is in force.
function itemOf(field: string | null | undefined): Item | undefined {
  if (typeof field !== "string" || field.includes(",")) return undefined;
  const [name = "", ...parameters] = field.split(";").map((part) => part.trim());
  const values = new Map(parameters.map((parameter) => parameter.split("=", 2) as [string, string | undefined]));
  const text = (parameter: string): string | undefined => values.get(parameter)?.replace(/^"(.*)"$/, "$1");
  return { name, text, number: (parameter) => numberIn(text(parameter)) };
}

function numberIn(text: string | null | undefined): number | undefined {
  return typeof text === "string" && /^-?\d+(?:\.\d+)?$/.test(text.trim()) ? Number(text) : undefined;
}
