/** What a hit in memory costs when its key is ready, beside maps that copy a value of the same size. */

import { functionWire } from "../../src/clients/function-wire.ts";
import {
  Call,
  Cancellation,
  cache,
  createRuntime,
  DEFAULT_SCOPE,
  memory,
  type Outcome,
  Trace,
  valueReply,
  type Wire,
  whole,
} from "../../src/index.ts";
import { openaiWire } from "../../src/providers/openai/index.ts";
import { medianMicroseconds } from "../measure.ts";

const CALLS = 50_000;
const SAMPLES = 200_000;

const tree = {
  id: "chatcmpl-8f14e45fceea167a5a36dedd4bea2543",
  object: "chat.completion",
  created: 1_790_000_000,
  model: "gpt-4o-mini-2024-07-18",
  choices: [
    {
      index: 0,
      message: { role: "assistant", content: "It rains on most Mondays in November. ".repeat(75), refusal: null },
      logprobs: null,
      finish_reason: "stop",
    },
  ],
  usage: { prompt_tokens: 500, completion_tokens: 640, total_tokens: 1140 },
};
const text = JSON.stringify(tree);

const runtime = createRuntime();
const policy = cache({ tiers: [memory()], staleWhileRevalidate: "1m", staleIfError: "1h" }, runtime);

function callOf(wire: Wire, endpoint: string): Call {
  const send = async (): Promise<Outcome> => valueReply(wire === openaiWire ? text : tree, whole());
  return Call.start(
    {
      operation: "chat",
      provider: "openai",
      endpoint,
      model: "gpt-4o-mini",
      credential: "k",
      stream: false,
      temperature: 0,
      request: { model: "gpt-4o-mini", messages: [{ role: "user", content: "How is the weather?" }], temperature: 0 },
      wire,
      scope: DEFAULT_SCOPE,
      cancellation: new Cancellation(),
      inputChars: 20,
      maxOutputTokens: undefined,
      send,
    },
    runtime.clock.now(),
  );
}

async function hitting(wire: Wire): Promise<() => Promise<Outcome>> {
  const call = callOf(wire, "https://api.openai.com/v1/chat/completions");
  await policy.handle(call, call.send);
  await policy.flush();
  const miss = (): never => {
    throw new Error("The provider was asked.");
  };
  // A call of its own each time, with a record of its own; the copies share the key.
  return () => policy.handle(call.with({ trace: new Trace(runtime.clock.now()) }), miss);
}

/** Microseconds below which 99 of 100 calls stay. */
async function p99(run: () => Promise<unknown>): Promise<number> {
  const times = new Float64Array(SAMPLES);
  for (let index = 0; index < SAMPLES; index++) {
    const startedAt = performance.now();
    await run();
    times[index] = performance.now() - startedAt;
  }
  return (times.sort()[Math.floor(SAMPLES * 0.99)] as number) * 1000;
}

const map = new Map<string, { readonly value: object; readonly text: string; readonly expiresAt: number }>();
map.set("key", { value: tree, text, expiresAt: Date.now() + 3_600_000 });
const found = (): { readonly value: object; readonly text: string } | undefined => {
  const entry = map.get("key");
  return entry !== undefined && entry.expiresAt > Date.now() ? entry : undefined;
};

const candidates: Record<string, () => Promise<unknown>> = {
  "hit, text as HTTP clients get it": await hitting(openaiWire),
  "hit, value of a function": await hitting(functionWire),
  "Map and expiry, the same object": async () => found()?.value,
  "Map and expiry, JSON.parse": async () => JSON.parse(found()?.text ?? ""),
  "Map and expiry, structuredClone": async () => structuredClone(found()?.value),
};

const medians = await medianMicroseconds(
  Object.fromEntries(Object.entries(candidates).map(([name, run]) => [name, { calls: CALLS, run }])),
);
console.log(`a hit of ${text.length} characters, key ready; median of 9 rounds, sequential\n`);
console.log(`${"".padEnd(34)}       us      a second   p99 us   x structuredClone`);
const anchor = medians["Map and expiry, structuredClone"] ?? Number.NaN;
for (const [name, run] of Object.entries(candidates)) {
  const microseconds = medians[name] ?? Number.NaN;
  const perSecond = Math.round(1_000_000 / microseconds).toLocaleString("en");
  const last = (await p99(run)).toFixed(2);
  const columns = [microseconds.toFixed(3).padStart(8), perSecond.padStart(13), last.padStart(8)];
  console.log(name.padEnd(34), ...columns, (anchor / microseconds).toFixed(1).padStart(10));
}
await policy.close();
