import { OptionError } from "./errors.ts";

/** A length of time: milliseconds, or text such as `"250ms"`, `"30s"`, `"5m"`, `"1h"`, `"1.5h"`, `"7d"`. */
export type Duration = number | `${number}${"ms" | "s" | "m" | "h" | "d"}`;

/** A number of bytes, or text such as `"512kb"`, `"256mb"`, `"1gb"` (powers of 1,024). */
export type Bytes = number | `${number}${"b" | "kb" | "mb" | "gb"}`;

const DURATION_UNITS: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const BYTE_UNITS: Record<string, number> = { b: 1, kb: 1024, mb: 1024 ** 2, gb: 1024 ** 3 };

interface Range {
  readonly min?: number;
  readonly max?: number;
}

const DURATION_ACCEPTED = 'milliseconds as a number, or text such as "250ms", "30s", "5m", "1h", "7d"';
const BYTES_ACCEPTED = 'bytes as a number, or text such as "512kb", "256mb", "1gb"';

/** Reads a duration into milliseconds. Throws {@link OptionError} naming `option`. */
export function durationMs(option: string, value: unknown, range: Range = {}): number {
  const ms = withUnit(value, /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/, DURATION_UNITS);
  return inRange(option, value, ms, range, DURATION_ACCEPTED, " ms");
}

/** Reads an amount of memory into bytes. Throws {@link OptionError} naming `option`. */
export function byteCount(option: string, value: unknown, range: Range = {}): number {
  const bytes = withUnit(value, /^(\d+(?:\.\d+)?)(b|kb|mb|gb)$/i, BYTE_UNITS);
  return inRange(option, value, bytes, range, BYTES_ACCEPTED, " bytes");
}

function withUnit(value: unknown, pattern: RegExp, units: Record<string, number>): number {
  if (typeof value === "number") return value;
  if (typeof value !== "string") return Number.NaN;
  const match = pattern.exec(value.trim());
  if (match === null) return Number.NaN;
  return Number(match[1]) * (units[(match[2] as string).toLowerCase()] as number);
}

function inRange(
  option: string,
  value: unknown,
  parsed: number,
  { min = 0, max = Number.MAX_SAFE_INTEGER }: Range,
  accepted: string,
  unit: string,
): number {
  if (Number.isFinite(parsed) && parsed >= min && parsed <= max) return parsed;
  throw new OptionError(option, value, `${accepted}${rangeText(min, max, unit)}`);
}

function rangeText(min: number, max: number, unit: string): string {
  const parts: string[] = [];
  if (min > 0) parts.push(`at least ${min}${unit}`);
  if (max < Number.MAX_SAFE_INTEGER) parts.push(`at most ${max}${unit}`);
  return parts.length === 0 ? "" : `, ${parts.join(" and ")}`;
}

/** A finite number within the range, both ends included. */
export function numberIn(option: string, value: unknown, min: number, max: number): number {
  if (typeof value === "number" && value >= min && value <= max) return value;
  throw new OptionError(option, value, `a number from ${min} to ${max}`);
}

/** A whole number of at least `min`, at most `max`. */
export function integerIn(option: string, value: unknown, min: number, max = Number.MAX_SAFE_INTEGER): number {
  if (typeof value === "number" && Number.isSafeInteger(value) && value >= min && value <= max) return value;
  const upper = max === Number.MAX_SAFE_INTEGER ? `of at least ${min}` : `from ${min} to ${max}`;
  throw new OptionError(option, value, `a whole number ${upper}`);
}

export function booleanOf(option: string, value: unknown): boolean {
  if (typeof value === "boolean") return value;
  throw new OptionError(option, value, "true or false");
}

export function functionOf<T>(option: string, value: T, accepted = "a function"): T {
  if (typeof value === "function") return value;
  throw new OptionError(option, value, accepted);
}

/** Text of 1 to `maxLength` characters. */
export function textOf(option: string, value: unknown, maxLength = 256): string {
  if (typeof value === "string" && value.length > 0 && value.length <= maxLength) return value;
  throw new OptionError(option, value, `text of 1 to ${maxLength} characters`);
}

/** One of the listed words. */
export function oneOf<const T extends string>(option: string, value: unknown, accepted: readonly T[]): T {
  if (typeof value === "string" && (accepted as readonly string[]).includes(value)) return value as T;
  throw new OptionError(option, value, `one of ${accepted.map((word) => `"${word}"`).join(", ")}`);
}

/**
 * Checks that `value` is a plain object whose keys are all known, so that a misspelt option is an
 * error and not a silent default.
 */
export function knownKeys(option: string, value: unknown, keys: readonly string[]): Record<string, unknown> {
  const prototype = typeof value === "object" && value !== null ? Object.getPrototypeOf(value) : undefined;
  if (prototype !== Object.prototype && prototype !== null) {
    throw new OptionError(option, value, `an object with the keys ${keys.join(", ")}`);
  }
  for (const key of Object.keys(value as object)) {
    if (keys.includes(key)) continue;
    throw new OptionError(
      option === "" ? key : `${option}.${key}`,
      (value as Record<string, unknown>)[key],
      `no such option; known here are ${keys.join(", ")}`,
    );
  }
  return value as Record<string, unknown>;
}
