import type OpenAI from "openai";
import type { PriorityName } from "../src/index.ts";
import type { PlannedCall } from "./workload.ts";

export interface CallResult {
  readonly priority: PriorityName;
  readonly ok: boolean;
  /** Why it failed, in a word; empty when it did not. */
  readonly error: string;
  readonly latencyMs: number;
}

export interface Progress {
  readonly sent: number;
  readonly answered: number;
  readonly failed: number;
  readonly total: number;
}

/** How one call is made; the wrapped client adds what the bare one cannot say. */
export type Send = (call: PlannedCall, body: Body, signal: AbortSignal) => Promise<unknown>;

export type Body = OpenAI.ChatCompletionCreateParamsNonStreaming | OpenAI.ChatCompletionCreateParamsStreaming;

/** Who is asked, and for what. */
export interface Target {
  readonly model: string;
  readonly simulated: boolean;
}

const MAX_TOKENS = 1024;

/**
 * Sends every call at its time, whether earlier ones are answered or not, as users do. Resolves when the last one
 * has ended. Calls still open when `signal` aborts count as failed, those not yet sent do not count.
 */
export async function runPass(
  calls: readonly PlannedCall[],
  target: Target,
  send: Send,
  onProgress: (progress: Progress) => void,
  signal: AbortSignal,
): Promise<CallResult[]> {
  const startedAt = performance.now();
  let sent = 0;
  let answered = 0;
  let failed = 0;
  const progress = setInterval(() => onProgress({ sent, answered, failed, total: calls.length }), 250);
  const one = async (call: PlannedCall): Promise<CallResult | undefined> => {
    await until(startedAt + call.atMs, signal);
    if (signal.aborted) return undefined;
    const from = performance.now();
    sent++;
    let error = "";
    try {
      await read(await send(call, bodyOf(call, target), signal));
      answered++;
    } catch (reason) {
      failed++;
      error = nameOf(reason);
    }
    return { priority: call.priority, ok: error === "", error, latencyMs: performance.now() - from };
  };
  try {
    const results = await Promise.all(calls.map(one));
    return results.filter((result) => result !== undefined);
  } finally {
    clearInterval(progress);
    onProgress({ sent, answered, failed, total: calls.length });
  }
}

function bodyOf(call: PlannedCall, { model, simulated }: Target): Body {
  return {
    model,
    messages: [{ role: "user", content: call.prompt }],
    temperature: 0,
    max_tokens: MAX_TOKENS,
    // Tells the simulated provider how long the recorded answer was; a real one wants no metadata it does not store.
    ...(simulated && { metadata: { output_tokens: String(call.outputTokens), priority: call.priority } }),
    ...(call.stream && { stream: true, stream_options: { include_usage: true } }),
  } as Body;
}

async function read(answer: unknown): Promise<void> {
  if (typeof answer !== "object" || answer === null || !(Symbol.asyncIterator in answer)) return;
  let finished = false;
  for await (const chunk of answer as AsyncIterable<OpenAI.ChatCompletionChunk>) {
    if (chunk.choices.some(({ finish_reason }) => finish_reason !== null)) finished = true;
  }
  // The bare SDK ends a cut stream like a whole one; the person who reads the answer sees the difference.
  if (!finished) throw new Error("cut stream");
}

function until(at: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, Math.max(0, at - performance.now()));
    signal.addEventListener("abort", done);
    if (signal.aborted) done();
  });
}

function nameOf(reason: unknown): string {
  if (!(reason instanceof Error)) return "unknown";
  const { status } = reason as { status?: number };
  if (status !== undefined) return `HTTP ${status}`;
  return reason.message === "cut stream"
    ? "cut stream"
    : reason.name === "Error"
      ? reason.message
      : reason.constructor.name;
}
