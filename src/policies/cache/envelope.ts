import { hash } from "node:crypto";
import type { Entry, KeptAnswer, Usage } from "../../core/index.ts";

// "BWC" and the version of this layout. What begins otherwise is not ours, or of another version: not read.
const MAGIC = Buffer.from("BWC\u0001", "latin1");
const DIGEST_BYTES = 32;
const HEADER_AT = MAGIC.length + DIGEST_BYTES + 4;

/**
 * An entry as bytes, for the tiers that hold bytes:
 *
 * | bytes | what |
 * |---|---|
 * | 4 | `BWC` and the version, 1 |
 * | 32 | SHA-256 of the key and of everything that follows |
 * | 4 | length of the header, big-endian |
 * | ... | header: JSON, everything but the text |
 * | ... | the answer's text, UTF-8 |
 *
 * The digest binds the entry to its key and finds every damaged byte. `undefined` for a text with a lone surrogate,
 * which UTF-8 cannot hold.
 */
export function encodeEntry(key: string, entry: Entry): Uint8Array | undefined {
  const { answer, ...rest } = entry;
  if (!answer.text.isWellFormed()) return undefined;
  const { status, headers } = answer.head;
  const header = Buffer.from(JSON.stringify({ ...rest, form: answer.form, status, headers }));
  const text = Buffer.from(answer.text);
  const bytes = Buffer.allocUnsafe(HEADER_AT + header.length + text.length);
  MAGIC.copy(bytes);
  bytes.writeUInt32BE(header.length, HEADER_AT - 4);
  header.copy(bytes, HEADER_AT);
  text.copy(bytes, HEADER_AT + header.length);
  digestOf(key, bytes).copy(bytes, MAGIC.length);
  return bytes;
}

/** The entry that `encodeEntry` wrote under `key`; `undefined` for any other bytes. Never throws. */
export function decodeEntry(key: string, bytes: Uint8Array): Entry | undefined {
  if (!(bytes instanceof Uint8Array) || bytes.byteLength < HEADER_AT) return undefined;
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (!view.subarray(0, MAGIC.length).equals(MAGIC)) return undefined;
  if (!view.subarray(MAGIC.length, MAGIC.length + DIGEST_BYTES).equals(digestOf(key, view))) return undefined;
  const textAt = HEADER_AT + view.readUInt32BE(HEADER_AT - 4);
  if (textAt > view.length) return undefined;
  const header = parsed(view.toString("utf8", HEADER_AT, textAt));
  return header === undefined ? undefined : entryOf(header, view.toString("utf8", textAt));
}

function digestOf(key: string, bytes: Buffer): Buffer {
  const bound = Buffer.concat([Buffer.from(`${key}\n`), bytes.subarray(MAGIC.length + DIGEST_BYTES)]);
  return hash("sha256", bound, "buffer");
}

function parsed(json: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(json);
    return isRecord(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

// Whoever can write to the tier can also compute a digest: the header is checked all the same.
function entryOf(header: Record<string, unknown>, text: string): Entry | undefined {
  const { form, status, headers, check, createdAt, expiresAt, model, usage, tags } = header;
  if (form !== "value" && form !== "events") return undefined;
  if (typeof check !== "string" || !isCount(status) || !isHeaders(headers)) return undefined;
  if (!Number.isFinite(createdAt) || !Number.isFinite(expiresAt)) return undefined;
  if (model !== undefined && typeof model !== "string") return undefined;
  if (usage !== undefined && !isUsage(usage)) return undefined;
  if (!isRecord(tags) || !Object.values(tags).every(isCount)) return undefined;
  const answer: KeptAnswer = { form, text, head: { status, headers } };
  return {
    answer,
    check,
    createdAt: createdAt as number,
    expiresAt: expiresAt as number,
    model,
    usage,
    tags: tags as Record<string, number>,
  };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

function isHeaders(value: unknown): value is KeptAnswer["head"]["headers"] {
  return (
    Array.isArray(value) &&
    value.every((pair) => Array.isArray(pair) && pair.length === 2 && pair.every((part) => typeof part === "string"))
  );
}

const USAGE_KEYS: readonly string[] = ["inputTokens", "outputTokens", "cachedInputTokens", "reasoningTokens"];

function isUsage(value: unknown): value is Usage {
  if (!isRecord(value) || typeof value["inputTokens"] !== "number" || typeof value["outputTokens"] !== "number") {
    return false;
  }
  return Object.entries(value).every(([name, count]) => USAGE_KEYS.includes(name) && typeof count === "number");
}
