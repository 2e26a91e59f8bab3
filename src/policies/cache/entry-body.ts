import type { Entry, KeptAnswer, Usage } from "../../core/index.ts";

const LENGTH_BYTES = 4;

/**
 * An entry as the content of a frame: the length of the details (4 bytes, big-endian), the details, the answer's text in
 * UTF-8. The details are a JSON array; parsing it costs less than reading as many fields one by one, and no name of a
 * field is told again in every entry. `undefined` for a text with a lone surrogate, which UTF-8 cannot hold.
 */
export function bodyOf(entry: Entry): Uint8Array | undefined {
  const { form, text, head } = entry.answer;
  if (!text.isWellFormed()) return undefined;
  const details = JSON.stringify([
    form,
    head.status,
    head.headers,
    entry.check,
    entry.createdAt,
    entry.freshUntil,
    entry.expiresAt,
    entry.tookMs,
    entry.cost,
    entry.label,
    entry.owner,
    entry.model ?? null,
    entry.usage ?? null,
    entry.tags,
    entry.sweep,
  ]);
  const detailsBytes = Buffer.byteLength(details);
  const textAt = LENGTH_BYTES + detailsBytes;
  const body = Buffer.allocUnsafe(textAt + Buffer.byteLength(text));
  body.writeUInt32BE(detailsBytes);
  body.write(details, LENGTH_BYTES);
  body.write(text, textAt);
  return body;
}

/** The entry that `bodyOf` wrote; `undefined` for any other bytes. Never throws. */
export function entryOf(body: Uint8Array): Entry | undefined {
  if (body.byteLength < LENGTH_BYTES) return undefined;
  const view = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  const textAt = LENGTH_BYTES + view.readUInt32BE();
  if (textAt > view.length) return undefined;
  const details = parsed(view.toString("utf8", LENGTH_BYTES, textAt));
  return details === undefined ? undefined : fromDetails(details, view.toString("utf8", textAt));
}

function parsed(json: string): readonly unknown[] | undefined {
  try {
    const value: unknown = JSON.parse(json);
    return Array.isArray(value) && value.length === DETAILS ? value : undefined;
  } catch {
    return undefined;
  }
}

const DETAILS = 15;

// Whoever can write to the store can also compute a digest: every field is checked all the same.
function fromDetails(details: readonly unknown[], text: string): Entry | undefined {
  const [form, status, headers, check, createdAt, freshUntil, expiresAt, tookMs, cost, label, owner] = details;
  const [model, usage, tags, sweep] = details.slice(11);
  if (form !== "value" && form !== "events") return undefined;
  if (!isCount(status) || !isHeaders(headers) || !isCount(sweep)) return undefined;
  if (typeof check !== "string" || typeof label !== "string" || typeof owner !== "string") return undefined;
  if (!isNumber(createdAt) || !isNumber(freshUntil) || !isNumber(expiresAt)) return undefined;
  if (!isAmount(tookMs) || !isAmount(cost)) return undefined;
  if (model !== null && typeof model !== "string") return undefined;
  if (usage !== null && !isUsage(usage)) return undefined;
  if (!isRecord(tags) || !Object.values(tags).every(isCount)) return undefined;
  const answer: KeptAnswer = { form, text, head: { status, headers } };
  return {
    answer,
    check,
    createdAt,
    freshUntil,
    expiresAt,
    tookMs,
    cost,
    label,
    owner,
    model: model ?? undefined,
    usage: usage ?? undefined,
    tags: tags as Record<string, number>,
    sweep,
  };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isNumber(value: unknown): value is number {
  return typeof value === "number";
}

function isAmount(value: unknown): value is number {
  return typeof value === "number" && value >= 0;
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
