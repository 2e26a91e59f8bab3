import {
  Call,
  type CallDetails,
  Cancellation,
  type Chunk,
  ChunkStream,
  createRuntime,
  DEFAULT_SCOPE,
  type Outcome,
  type Runtime,
  resolveScope,
  type Scope,
  type Settlement,
  seededRandom,
  streamReply,
  valueReply,
  type Wire,
  whole,
} from "../../src/core/index.ts";
import { VirtualClock } from "../../src/testing/virtual-clock.ts";

/** A runtime in virtual time with a seeded random source. */
export function virtualRuntime(seed = 1): { clock: VirtualClock; runtime: Runtime } {
  const clock = new VirtualClock();
  return { clock, runtime: createRuntime({ clock, random: seededRandom(seed) }) };
}

/** A wire for tests: the request is its own identity, bodies are kept as JSON. */
export const jsonWire: Wire = {
  name: "test",
  identity: (call) => ({ material: call.request }),
  shape: (call) => String(call.stream),
  keep: (_call, head, body) => ({
    form: "value" in body ? "value" : "events",
    text: JSON.stringify("value" in body ? body.value : body.chunks),
    head,
  }),
  replay: (call, kept) => {
    if ((kept.form === "events") !== call.stream) return undefined;
    const parsed = JSON.parse(kept.text);
    if (kept.form === "value") return valueReply(parsed, whole(), undefined, "cache");
    return streamReply(
      streamOf((parsed as unknown[]).map((value) => ({ role: "content", value }))),
      undefined,
      "cache",
    );
  },
};

export interface CallOptions extends Partial<Omit<CallDetails, "scope">> {
  readonly scope?: Scope;
}

/** A call that `send` answers. */
export function callOf(runtime: Runtime, send: (call: Call) => Promise<Outcome>, options: CallOptions = {}): Call {
  const { scope, ...details } = options;
  const { temperature } = (options.request ?? {}) as { readonly temperature?: unknown };
  return Call.start(
    {
      operation: "chat",
      provider: "test",
      endpoint: "test://model",
      model: "m",
      credential: "k",
      stream: false,
      temperature: typeof temperature === "number" ? temperature : undefined,
      request: { input: "hello" },
      wire: jsonWire,
      cancellation: new Cancellation(),
      inputChars: 400,
      maxOutputTokens: undefined,
      send,
      ...details,
      scope: scope === undefined ? DEFAULT_SCOPE : resolveScope(scope),
    },
    runtime.clock.now(),
  );
}

/** A `send` that answers with `value` after `ms`, and stops when the call is cancelled. */
export function answering(runtime: Runtime, value: unknown, ms = 0, usage = { inputTokens: 100, outputTokens: 50 }) {
  return (call: Call): Promise<Outcome> =>
    new Promise((resolve) => {
      const timer = runtime.clock.timer(ms, () => {
        off();
        resolve(valueReply(value, whole({ usage })));
      });
      const off = call.cancellation.onCancel((reason) => {
        timer.cancel();
        resolve({
          ok: false,
          kind: "aborted",
          scope: "call",
          retryable: false,
          retryAfterMs: undefined,
          status: undefined,
          error: reason,
          response: undefined,
          committed: false,
          limits: undefined,
        });
      });
    });
}

/** A stream that is ready at once, ending well unless told otherwise. */
export function streamOf(chunks: readonly Chunk[], end: Settlement = whole()): ChunkStream {
  const rest = [...chunks];
  return new ChunkStream({ pull: async () => rest.shift() ?? end, cancel: () => {} });
}

/** Reads a stream to its end. */
export async function drain(stream: ChunkStream): Promise<unknown[]> {
  const values: unknown[] = [];
  for (let chunk = await stream.next(); chunk !== undefined; chunk = await stream.next()) values.push(chunk.value);
  return values;
}
