import { hash } from "node:crypto";
import { canonical } from "./canonical.ts";

/** What an entry is found by and what it is checked by. */
export interface Fingerprint {
  /** SHA-256 of the canonical request, base64url, 43 characters. Holds nothing of the prompt. */
  readonly key: string;
  /** SHA-512/256 of the same, base64url: a hit must match it too, so a collision is a miss. */
  readonly check: string;
}

// Part of every key: a change of the encoding or of what is in the key makes old entries unreachable.
const SCHEMA = "breakwater/1";

/** Fingerprints `material`, anything `canonical` accepts. Throws `NotCanonicalError`. */
export function fingerprintOf(material: unknown): Fingerprint {
  const text = canonical([SCHEMA, material]);
  return { key: hash("sha256", text, "base64url"), check: hash("sha512-256", text, "base64url") };
}

/** A short one-way name for a secret, fit for labels and keys: 16 base64url characters of a SHA-256. */
export function secretName(secret: string): string {
  return hash("sha256", `breakwater.credential\u0000${secret}`, "base64url").slice(0, 16);
}
