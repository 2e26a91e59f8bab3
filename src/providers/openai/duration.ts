const AMOUNT =
  "(\\d+(?:\\.\\d+)?) ?(ns|us|µs|ms|milliseconds?|m|min(?:ute)?s?|s|sec(?:ond)?s?|h|hours?|d|days?)(?![a-z])";
const AMOUNTS = new RegExp(AMOUNT, "gi");
const DURATION = new RegExp(`^(?:${AMOUNT} ?)+$`, "i");
const WAIT = new RegExp(`\\b(?:try again|retry|retrying) (?:in|after) ((?:${AMOUNT} ?)+)`, "i");

/** Milliseconds of `6m0s`, `11.35s`, `120ms` (as Go writes them), or of bare seconds. */
export function parseDuration(text: string): number | undefined {
  const trimmed = text.trim();
  if (/^\d+(?:\.\d+)?$/.test(trimmed)) return Number(trimmed) * 1_000;
  return DURATION.test(trimmed) ? sumOf(trimmed) : undefined;
}

/** Milliseconds of a wait told in words: "Please try again in 6m0s", "Please retry after 60 seconds". */
export function waitInWords(text: string): number | undefined {
  const words = WAIT.exec(text)?.[1];
  return words === undefined ? undefined : sumOf(words);
}

function sumOf(text: string): number {
  let ms = 0;
  for (const [, amount, unit] of text.matchAll(AMOUNTS)) ms += Number(amount) * unitMs((unit as string).toLowerCase());
  return ms;
}

function unitMs(unit: string): number {
  if (unit === "ns") return 1e-6;
  if (unit === "us" || unit === "µs") return 1e-3;
  if (unit === "ms" || unit.startsWith("mil")) return 1;
  return { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }[unit.charAt(0)] ?? Number.NaN;
}
