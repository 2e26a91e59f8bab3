import { hash } from "node:crypto";
import { canonical } from "./canonical.ts";

/** What an entry is found by and what it is checked by. */
export interface Fingerprint {
  /** 258 bits of a SHA-512 of the canonical request, 43 characters of base64url. Holds nothing of the prompt. */
  readonly key: string;
  /** The other 254 bits: a hit must match them too, so a collision of keys is a miss. */
  readonly check: string;
}

// Part of every key: a change of the encoding or of what is in the key makes old entries unreachable.
const SCHEMA = "breakwater/1";

const KEY_CHARS = 43;

/** Fingerprints `material`, anything `canonical` accepts. Throws `NotCanonicalError`. */
export function fingerprintOf(material: unknown): Fingerprint {
  const text = canonical([SCHEMA, material]);
  const digest = hash("sha512", text, "base64url");
  return { key: digest.slice(0, KEY_CHARS), check: digest.slice(KEY_CHARS) };
}

/** A short one-way name for a secret, fit for labels and keys: 16 base64url characters of a SHA-256. */
export function secretName(secret: string): string {
  return hash("sha256", `breakwater.credential\u0000${secret}`, "base64url").slice(0, 16);
}
