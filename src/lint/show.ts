const UNITS: readonly (readonly [string, number])[] = [
  ["d", 86_400_000],
  ["h", 3_600_000],
  ["m", 60_000],
  ["s", 1000],
];

/** A length of time as an option would say it, in three digits at most: `90s`, `1.5h`. */
export function durationText(ms: number): string {
  const [unit, size] = UNITS.find(([, one]) => ms >= one && (ms % one === 0 || ms >= 10 * one)) ?? ["ms", 1];
  return `${Number((ms / size).toPrecision(3))}${unit}`;
}

export function bytesText(bytes: number): string {
  return `${Number((bytes / 1024 ** 2).toPrecision(3))}mb`;
}
