import type { Call } from "../../core/index.ts";

/** Whether the request itself says temperature 0. A provider's default does not count: it is not ours to know. */
export function asksForZeroTemperature({ identity }: Call): boolean {
  if ("bypass" in identity) return false;
  const material = recordOf(identity.material);
  const body = recordOf(material["body"]);
  return [material, body, recordOf(material["generationConfig"]), recordOf(body["generationConfig"])].some(
    ({ temperature }) => temperature === 0,
  );
}

function recordOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
}
