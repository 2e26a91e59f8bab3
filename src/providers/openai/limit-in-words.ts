import type { LimitReading } from "../../core/index.ts";

const WINDOW_MS = { min: 60_000, day: 86_400_000 } as const;

// "... on tokens per min (TPM): Limit 10000, Used 9500, Requested 700." (OpenAI, Groq), and the older
// "... on requests per min. Limit: 3 / min. Current: 4 / min."
const WORDS =
  /\bon (requests|tokens) per (min|day)(?:ute)?\b[^:.]*[:.] Limit:? (\d+)(?: \/ (?:min|day)\.)?(?:,? (?:Used|Current):? (\d+))?/i;

/** The limit that a refusal names in words, with what was left of it. */
export function limitInWords(message: string): LimitReading | undefined {
  const [, unit, window, limitText, usedText] = WORDS.exec(message) ?? [];
  const limit = Number(limitText);
  if (unit === undefined || window === undefined || !(limit > 0)) return undefined;
  return {
    unit: unit.toLowerCase() === "tokens" ? "tokens" : "requests",
    windowMs: WINDOW_MS[window.toLowerCase() as keyof typeof WINDOW_MS],
    limit,
    remaining: usedText === undefined ? undefined : Math.max(0, limit - Number(usedText)),
    resetMs: undefined,
  };
}
