import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import type { Call } from "../../src/core/index.ts";
import { inputSize } from "../../src/providers/openai/input-size.ts";
import { TokenEstimator } from "../../src/tokens/index.ts";
import type { TokenCounter } from "../../src/tokens/tiktoken/index.ts";
import { callOf, virtualRuntime } from "../support/calls.ts";

export interface RecordedPrompt {
  readonly provider: string;
  readonly operation: "chat" | "responses";
  readonly model: string;
  readonly route: string;
  readonly messages: readonly unknown[];
  readonly tools: readonly unknown[] | null;
  readonly input_tokens: number;
  readonly output_tokens: number;
}

const FILE = join(import.meta.dirname, "../fixtures/usage/token-counts.jsonl.gz");

export const RECORDED: readonly RecordedPrompt[] = gunzipSync(readFileSync(FILE))
  .toString()
  .trimEnd()
  .split("\n")
  .map((line) => JSON.parse(line) as RecordedPrompt);

const { runtime } = virtualRuntime();

const unsent = (): never => {
  throw new Error("not to be sent");
};

export function callFor({ messages, tools, route, ...row }: RecordedPrompt): Call {
  const { provider, operation, model } = row;
  const prompt = operation === "chat" ? { messages } : { input: messages };
  const request = { model, ...prompt, ...(tools === null ? {} : { tools }) };
  const inputChars = inputSize(request);
  return callOf(runtime, unsent, { provider, operation, model, request, inputChars, scope: { route } });
}

/** The estimator before calls were told apart: characters times a ratio by model, and eight. */
class RatioByModel {
  readonly #ratios = new Map<string, { chars: number; tokens: number }>();

  estimate({ model, inputChars }: Call): number {
    const { chars, tokens } = this.#ratios.get(model) ?? { chars: 1_000, tokens: 250 };
    return Math.ceil((inputChars * tokens) / chars) + 8;
  }

  learn({ model, inputChars }: Call, inputTokens: number): void {
    const { chars, tokens } = this.#ratios.get(model) ?? { chars: 1_000, tokens: 250 };
    this.#ratios.set(model, { chars: chars * 0.95 + inputChars, tokens: tokens * 0.95 + Math.max(0, inputTokens - 8) });
  }
}

export type Method = "chars/4" | "ratio by model" | "estimator" | "with tiktoken";

/** What was estimated for one prompt that nobody had learned from, as shares of the tokens that were billed. */
export interface HeldOut {
  readonly provider: string;
  readonly errors: Readonly<Record<Method, number>>;
  /** Whether the counter counted it. */
  readonly counted: boolean;
  /** Estimated output and the real one. */
  readonly output: readonly [estimated: number, real: number];
}

/** Learns from the first half and estimates the second, one after another, without learning from it. */
export function heldOut(counter?: TokenCounter): HeldOut[] {
  const calls = RECORDED.map((row) => ({ row, call: callFor(row) }));
  const half = Math.floor(calls.length / 2);
  const estimator = new TokenEstimator();
  const byModel = new RatioByModel();
  for (const { row, call } of calls.slice(0, half)) {
    estimator.learn(call, { inputTokens: row.input_tokens, outputTokens: row.output_tokens });
    byModel.learn(call, row.input_tokens);
  }
  return calls.slice(half).map(({ row, call }): HeldOut => {
    const off = (tokens: number): number => Math.abs(tokens - row.input_tokens) / row.input_tokens;
    const estimate = estimator.estimate(call);
    return {
      provider: row.provider,
      errors: {
        "chars/4": off(Math.ceil(call.inputChars / 4)),
        "ratio by model": off(byModel.estimate(call)),
        estimator: off(estimate.input),
        "with tiktoken": off(estimator.estimate(call, counter).input),
      },
      counted: counter?.(call) !== undefined,
      output: [estimate.output, row.output_tokens],
    };
  });
}

export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(share * (sorted.length - 1))] ?? Number.NaN;
}
