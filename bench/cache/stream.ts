/**
 * What the cache costs a stream that passes, how much it keeps of it, and how soon a kept one begins.
 * Anchors: a wrapper around an async iterator, and the stream's own bytes.
 */
import { createFetch } from "../../src/clients/index.ts";
import { type Chunk, ChunkStream, type KeptAnswer, pipeline, type Settlement, whole } from "../../src/core/index.ts";
import { cache, memory } from "../../src/index.ts";
import { openaiWire } from "../../src/providers/openai/index.ts";
import { eventsOf, unpackEvents } from "../../src/providers/packed-events/index.ts";
import { EventSplitter } from "../../src/providers/sse.ts";
import { simulatedFetch } from "../../src/testing/index.ts";
import { callOf, virtualRuntime } from "../../test/support/calls.ts";
import { median } from "../measure.ts";

const { runtime } = virtualRuntime();
const unused = () => Promise.reject(new Error("not sent"));
const usage = { stream: true, stream_options: { include_usage: true } };
const head = { status: 200, statusText: "", headers: [], url: "", limits: undefined };

/** A stream of so many tokens, as the simulated provider sends it. */
async function bodyOf(operation: "chat" | "responses", tokens: number): Promise<string> {
  const provider = simulatedFetch({
    latency: { firstToken: 0, perToken: 0 },
    outputTokens: { median: tokens, sigma: 0 },
  });
  const [path, input] =
    operation === "chat"
      ? ["chat/completions", { messages: [{ role: "user", content: "Hi" }], ...usage }]
      : ["responses", { input: "Hi", stream: true }];
  const response = await provider(`https://sim.test/v1/${path}`, {
    method: "POST",
    headers: { authorization: "Bearer k", "content-type": "application/json" },
    body: JSON.stringify({ model: "gpt-4o-mini", ...input }),
  });
  return response.text();
}

function callFor(operation: string, request: object) {
  return callOf(runtime, unused, { operation, stream: "stream" in request, request, wire: openaiWire });
}

const milliseconds = (work: () => unknown): number => {
  const startedAt = performance.now();
  work();
  return performance.now() - startedAt;
};

function streamOf(events: readonly string[]): ChunkStream {
  let at = 0;
  const end: Settlement = whole();
  return new ChunkStream({
    pull: async (): Promise<Chunk | Settlement> =>
      at < events.length ? { role: "content", value: events[at++] } : end,
    cancel: () => {},
  });
}

async function perChunk(events: readonly string[], read: () => Promise<void>): Promise<number> {
  const times: number[] = [];
  for (let round = 0; round < 15; round++) {
    const startedAt = performance.now();
    await read();
    times.push(((performance.now() - startedAt) * 1000) / events.length);
  }
  return median(times);
}

async function* wrapped(values: AsyncIterable<string>): AsyncGenerator<string> {
  for await (const value of values) yield value;
}

async function* plain(events: readonly string[]): AsyncGenerator<string> {
  yield* events;
}

async function drained(stream: ChunkStream): Promise<void> {
  while ((await stream.next()) !== undefined);
}

const chat = await bodyOf("chat", 2000);
const events = new EventSplitter().push(chat);
const bare = await perChunk(events, async () => {
  for await (const _ of plain(events));
});
const wrapper = await perChunk(events, async () => {
  for await (const _ of wrapped(plain(events)));
});
const passing = await perChunk(events, () => drained(streamOf(events)));
const recording = await perChunk(events, async () => {
  const record = openaiWire.record?.(callFor("chat", usage));
  const stream = streamOf(events);
  stream.observe({ chunk: ({ value }) => record?.add(value) });
  await drained(stream);
});

const encoded = events.map((event) => Buffer.from(event));
const host = async () => {
  let at = 0;
  const body = new ReadableStream<Uint8Array>({
    pull: (controller) => (at < encoded.length ? controller.enqueue(encoded[at++] as Buffer) : controller.close()),
  });
  return new Response(body, { headers: { "content-type": "text/event-stream" } });
};
let asked = 0;
const through = (send: typeof fetch) => async () => {
  const messages = [{ role: "user", content: `${asked++}` }];
  const response = await send("https://api.openai.com/v1/chat/completions", {
    method: "POST",
    body: JSON.stringify({ model: "m", messages, ...usage }),
  });
  const reader = (response.body as ReadableStream<Uint8Array>).getReader();
  while (!(await reader.read()).done);
};
const byHost = await perChunk(events, through(host));
const byLine = await perChunk(events, through(createFetch(pipeline(), { fetch: host })));
const byCache = await perChunk(events, through(createFetch(pipeline(cache({ tiers: [memory()] })), { fetch: host })));

console.log(`microseconds a chunk, ${events.length} chunks, median of 15 rounds`);
const figures: readonly (readonly [name: string, microseconds: number])[] = [
  ["a generator around an async iterator (anchor)", wrapper - bare],
  ["a stream of the line", passing],
  ["the same, taken down by the cache", recording],
  ["what the cache adds to it", recording - passing],
  ["a response of the host's fetch, read", byHost],
  ["through fetch of a line without policies", byLine],
  ["through fetch of a line with a cache", byCache],
];
for (const [name, microseconds] of figures) console.log(name.padEnd(50), microseconds.toFixed(2).padStart(8));
console.log();

console.log(
  "kept".padEnd(22),
  "events".padStart(8),
  "sent".padStart(10),
  "final JSON".padStart(12),
  "kept".padStart(10),
  "ratio".padStart(7),
  "keep ms".padStart(9),
  "whole ms".padStart(9),
  "first ms".padStart(9),
);
for (const [operation, tokens] of [
  ["chat", 750],
  ["responses", 750],
  ["chat", 20_000],
  ["responses", 20_000],
] as const) {
  const text = await bodyOf(operation, tokens);
  const all = new EventSplitter().push(text);
  const request = operation === "chat" ? usage : { stream: true };
  const call = callFor(operation, request);
  const [keeps, wholes, firsts]: [number[], number[], number[]] = [[], [], []];
  let [kept, final] = ["", ""];
  for (let round = 0; round < 9; round++) {
    const record = openaiWire.record?.(call);
    for (const event of all) record?.add(event);
    let answer: KeptAnswer | undefined;
    globalThis.gc?.();
    keeps.push(milliseconds(() => (answer = record?.keep(head))));
    if (answer === undefined) throw new Error("not kept");
    kept = answer.text;
    const entry = answer;
    wholes.push(
      milliseconds(() => {
        const reply = openaiWire.replay(callFor(operation, {}), entry);
        final = reply?.body.kind === "value" ? String(reply.body.value) : "";
      }),
    );
    const startedAt = performance.now();
    const reply = openaiWire.replay(call, entry);
    if (reply?.body.kind === "stream") await reply.body.next();
    firsts.push(performance.now() - startedAt);
  }
  if ([...eventsOf(unpackEvents(kept))].length !== all.length) throw new Error("events are missing");
  const bytes = Buffer.byteLength(kept);
  console.log(
    `${operation}, ${tokens} tokens`.padEnd(22),
    String(all.length).padStart(8),
    String(Buffer.byteLength(text)).padStart(10),
    String(Buffer.byteLength(final)).padStart(12),
    String(bytes).padStart(10),
    (bytes / Buffer.byteLength(final)).toFixed(2).padStart(7),
    ...[keeps, wholes, firsts].map((times) => median(times).toFixed(2).padStart(9)),
  );
}

const answers = cache({ tiers: [memory()] });
const send = createFetch(pipeline(answers), {
  fetch: async () => new Response(chat, { headers: { "content-type": "text/event-stream" } }),
});
const ask = () =>
  send("https://api.openai.com/v1/chat/completions", {
    method: "POST",
    body: JSON.stringify({ model: "m", messages: [], ...usage }),
  });
await (await ask()).text();
const first: number[] = [];
for (let round = 0; round < 50; round++) {
  const startedAt = performance.now();
  const reader = ((await ask()).body as ReadableStream<Uint8Array>).getReader();
  await reader.read();
  first.push(performance.now() - startedAt);
  await reader.cancel();
}
console.log(
  `\nfirst byte of a kept stream of ${events.length} events through fetch: ${median(first).toFixed(2)} ms, hits ${answers.stats().hits["memory"]}`,
);
