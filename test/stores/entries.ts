import type { Entry } from "../../src/core/index.ts";

export function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

export function entryOf(text: string, expiresAt: number, details: Partial<Entry> = {}): Entry {
  return {
    answer: { form: "value", text, head: { status: 200, headers: [] } },
    check: "check",
    createdAt: 0,
    freshUntil: expiresAt,
    expiresAt,
    tookMs: 0,
    cost: 1,
    label: "/chat/m/",
    owner: "",
    model: undefined,
    usage: undefined,
    tags: {},
    sweep: 0,
    ...details,
  };
}
