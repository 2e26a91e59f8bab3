import type { Entry } from "../../src/core/index.ts";

export function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

export function entryOf(text: string, expiresAt: number, details: Partial<Entry> = {}): Entry {
  return {
    answer: { form: "value", text, head: { status: 200, headers: [] } },
    check: "check",
    createdAt: 0,
    expiresAt,
    model: undefined,
    usage: undefined,
    tags: {},
    ...details,
  };
}
