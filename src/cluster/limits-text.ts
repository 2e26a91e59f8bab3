import type { QuotaLimit, QuotaUnit } from "../core/index.ts";

/** Limits as the server keeps them: `requests/60000=500;tokens/60000=200000`. */
export function limitsText(limits: readonly QuotaLimit[]): string {
  return limits
    .map(({ unit, windowMs, limit }) => `${unit}/${windowMs}=${limit}`)
    .sort()
    .join(";");
}

const UNITS: ReadonlySet<string> = new Set(["requests", "tokens", "inputTokens", "outputTokens"]);

/** Reads what another process has written; what makes no sense is left out. */
export function limitsOf(text: string): QuotaLimit[] {
  return text.split(";").flatMap((part) => {
    const [unit = "", window = "", most = ""] = part.split(/[/=]/);
    const [windowMs, limit] = [Number(window), Number(most)];
    return UNITS.has(unit) && windowMs > 0 && limit > 0 ? [{ unit: unit as QuotaUnit, windowMs, limit }] : [];
  });
}
