import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { RawResponse } from "../../src/core/index.ts";
import type { RequestReading, StreamReader } from "../../src/providers/openai/index.ts";

const WIRE = join(import.meta.dirname, "../fixtures/wire");

export type Json = Record<string, unknown>;
export type Reading = Pick<RequestReading, "operation" | "provider">;

export interface RecordedStream {
  readonly name: string;
  readonly reading: Reading;
  readonly text: string;
}

export function fixture(name: string): string {
  return readFileSync(join(WIRE, name), "utf8");
}

/** The rows of a JSON-lines file. */
export function rows(name: string): Json[] {
  return fixture(name)
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line));
}

function framed(payloads: string): string {
  const events = payloads.split("\n").filter((line) => line !== "");
  return events.map((payload) => `data: ${payload}\n\n`).join("");
}

/** Every recorded stream. Those whose framing was stripped have it again, without `[DONE]`. */
export const streams: readonly RecordedStream[] = readdirSync(WIRE)
  .filter((name) => name.endsWith(".sse") || name.endsWith(".chunks.txt"))
  .map((name) => ({
    name,
    reading: { operation: name.includes("responses") ? "responses" : "chat", provider: name.split("-")[0] as string },
    text: name.endsWith(".sse") ? fixture(name) : framed(fixture(name)),
  }));

export function stream(name: string): RecordedStream {
  const found = streams.find((recorded) => recorded.name.startsWith(name));
  if (found === undefined) throw new Error(`no stream ${name}`);
  return found;
}

/** What a reader makes of events: the roles, or the kinds of faults, and the end. */
export function readAll(reader: StreamReader, events: readonly string[]) {
  const roles = events.map((event) => {
    const read = reader.read(event);
    return typeof read === "string" ? read : read.kind;
  });
  return { roles, end: reader.end(), usage: reader.usage() };
}

export function rawResponse(body: unknown, details: Partial<RawResponse> = {}): RawResponse {
  return {
    status: 200,
    statusText: "",
    headers: [["content-type", "application/json"]],
    url: "https://api.openai.com/v1/chat/completions",
    body: typeof body === "string" ? body : JSON.stringify(body),
    ...details,
  };
}
