import type { GaugeView } from "../view.ts";

/** Numbers as an operator reads them. `null` is no data: a dash, never a zero. */
export type Format = (value: number | null) => string;

export const NO_DATA = "–";

const whole = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });
const short = new Intl.NumberFormat("en-US", { notation: "compact", maximumSignificantDigits: 3 });
const fine = new Intl.NumberFormat("en-US", { maximumSignificantDigits: 3 });
const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });

const known =
  (format: (value: number) => string): Format =>
  (value) =>
    value === null ? NO_DATA : format(value);

export const amount = known((value) => {
  if (value === 0) return "0";
  if (Math.abs(value) < 100) return fine.format(value);
  return Math.abs(value) < 10_000 ? whole.format(value) : short.format(value);
});

/** For where there is little room. */
export const brief = known((value) => short.format(value));

export const seconds = known((value) => {
  if (value < 0.0005) return value === 0 ? "0 ms" : `${fine.format(value * 1000)} ms`;
  if (value < 0.9995) return `${fine.format(value * 1000)} ms`;
  if (value < 99.95) return `${fine.format(value)} s`;
  const minutes = Math.floor(value / 60);
  return minutes < 60 ? `${minutes} min ${Math.round(value - minutes * 60)} s` : `${fine.format(value / 3600)} h`;
});

/** A share of 1. Not all is never shown as all, nor something as nothing. */
export const percent = known((value) => {
  if (value > 0.999 && value < 1) return "> 99.9 %";
  if (value < 0.001 && value > 0) return "< 0.1 %";
  return `${(value * 100).toFixed(Number.isInteger(value) ? 0 : 1)} %`;
});

export const dollars = known((value) => {
  if (value === 0) return "$0";
  if (value < 0.01) return `$${fine.format(value)}`;
  return value < 1_000 ? `$${value.toFixed(2)}` : `$${short.format(value)}`;
});

export const bytes = known((value) => {
  const units = ["B", "KB", "MB", "GB", "TB"];
  let rest = value;
  let unit = 0;
  while (rest >= 1024 && unit < units.length - 1) {
    rest /= 1024;
    unit++;
  }
  return `${fine.format(rest)} ${units[unit]}`;
});

export const GAUGE_FORMATS: Readonly<Record<GaugeView["unit"], Format>> = {
  ratio: percent,
  bytes,
  seconds,
  count: amount,
  bytesPerSecond: known((value) => `${bytes(value)}/s`),
  dollarsPerHour: known((value) => `${dollars(value)} / h`),
};

export function timeOfDay(at: number): string {
  return clock.format(at);
}

/** How long something lasts or is ago, from milliseconds. */
export function span(ms: number): string {
  const total = Math.max(0, Math.round(ms / 1000));
  if (total < 60) return `${total} s`;
  if (total < 3_600) return `${Math.floor(total / 60)} min ${total % 60} s`;
  return `${Math.floor(total / 3_600)} h ${Math.floor((total % 3_600) / 60)} min`;
}

export function words(label: string): string {
  return label.replaceAll("_", " ");
}
