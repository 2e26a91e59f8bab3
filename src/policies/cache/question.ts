import type { Call, Fingerprint, Random } from "../../core/index.ts";
import type { CacheSettings } from "./options.ts";

/** What to look for; a word when the cache is not to be used for this call. */
export function questionOf(call: Call, { when, shared }: CacheSettings): Fingerprint | string {
  if (call.scope.cache === "bypass") return "bypass";
  try {
    const { identity } = call;
    if ("bypass" in identity) return identity.bypass;
    if (when === "deterministic" && !isDeterministic(call)) return "not_deterministic";
    return call.fingerprint(shared) ?? "not_canonical";
  } catch {
    return "not_canonical";
  }
}

/** The call, after one of several answers where a question may have more than one. */
export function varied(call: Call, { variants }: CacheSettings, random: Random): Call {
  const count = call.scope.directives.variants ?? variants;
  if (count === 1 || isDeterministic(call)) return call;
  const variant = Math.floor(random() * count);
  return variant === call.variant ? call : call.with({ variant });
}

// Nothing is drawn for an embedding.
function isDeterministic({ temperature, operation }: Call): boolean {
  return temperature === 0 || operation === "embeddings";
}
