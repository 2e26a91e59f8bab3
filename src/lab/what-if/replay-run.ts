import { dollarsFor, type ModelPrice, type Scope, seededRandom } from "../../core/index.ts";
import { createOptimizer, type Optimizer } from "../../optimizer.ts";
import { VirtualClock } from "../../testing/index.ts";
import { fairnessOf, type ServedCall } from "./fairness.ts";
import { quantileOf } from "./latency-fit.ts";
import type { ProviderFit } from "./provider-fit.ts";
import type { ReplayConfig } from "./replay.ts";
import { type ReplayedCall, ReplayProvider } from "./replay-provider.ts";

/** What came of a trace under one configuration. */
export interface ReplayRun {
  readonly name: string;
  readonly answered: number;
  /** Calls that the optimizer declined, by policy. */
  readonly refused: Readonly<Record<string, number>>;
  /** Calls that failed for another reason. */
  readonly failed: number;
  /** Requests at the provider. */
  readonly attempts: number;
  /** Of these, the ones that it answered with 429. */
  readonly rateLimited: number;
  /** Share of the answers that cost no request: from the cache, or shared with a call in flight. */
  readonly hitRate: number;
  /** US dollars for all that the provider took, answers that nobody got included. */
  readonly costDollars: number;
  /** From a call's coming to the end of its answer, of those that were answered. */
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Tokens of the calls that were answered, in a minute, from the first call's coming to the last answer. */
  readonly goodput: number;
  /**
   * How evenly clients were served, from 1 / clients to 1: Jain's index over the parts that they got of their fair shares of
   * each minute in which there was not enough for all. `undefined` for fewer than two clients.
   */
  readonly fairness: number | undefined;
  /** Milliseconds that the answered calls took, at 101 quantiles from 0 to 1. */
  readonly durations: readonly number[];
}

interface ReplaySetting {
  readonly provider: ProviderFit;
  readonly seed: number;
  readonly priceOf: (model: string) => ModelPrice;
}

interface Ended {
  readonly answered: boolean;
  readonly ms: number;
}

// Unknown to every table of providers, so that what is used counts, and nothing is reserved beyond it.
const URL = "https://llm.example.com/v1/chat/completions";
const CHARS_PER_TOKEN = 4;
/** What the fields around a prompt have in characters. */
const FRAME_CHARS = 15;
const QUANTILES = 101;
const MINUTE_MS = 60_000;

/** Replays the calls under one configuration. */
export async function replayOnce(
  calls: readonly ReplayedCall[],
  { name, optimizer: given }: ReplayConfig,
  { provider: fit, seed, priceOf }: ReplaySetting,
): Promise<ReplayRun> {
  const clock = new VirtualClock();
  const provider = new ReplayProvider(calls, fit, clock, seed);
  const optimizer = createOptimizer({
    monitor: false,
    ...given,
    clock,
    random: seededRandom(seed),
    environment: {},
    fetch: provider.fetch,
  });
  const refused: Record<string, number> = {};
  let hits = 0;
  optimizer.on("call.failed", ({ refusedBy }) => {
    if (refusedBy !== undefined) refused[refusedBy] = (refused[refusedBy] ?? 0) + 1;
  });
  optimizer.on("call.completed", ({ servedBy }) => {
    if (servedBy !== "upstream") hits++;
  });
  const asked = calls.map(
    (call, index) =>
      new Promise<Ended>((resolve) => {
        clock.timer(call.at, () => {
          const startedAt = clock.now();
          ask(optimizer, call, index).then(
            (answered) => resolve({ answered, ms: clock.now() - startedAt }),
            () => resolve({ answered: false, ms: clock.now() - startedAt }),
          );
        });
      }),
  );
  const ends = await clock.run(Promise.all(asked));
  const spanMs = clock.now();
  await optimizer.close();
  const durations = Float64Array.from(ends.flatMap(({ answered, ms }) => (answered ? [ms] : []))).sort();
  const declined = Object.values(refused).reduce((sum, count) => sum + count, 0);
  const served = calls.flatMap(({ at, client, inputTokens, outputTokens }, index): ServedCall[] => {
    const { answered, ms } = ends[index] as Ended;
    const waitedUntil = at + (answered ? Math.max(0, ms - provider.idealMs(index)) : ms);
    return client === undefined ? [] : [{ client, at, waitedUntil, tokens: inputTokens + outputTokens, answered }];
  });
  let [costDollars, tokens] = [0, 0];
  for (const [model, taken] of provider.taken) costDollars += dollarsFor(priceOf(model), taken);
  for (const [index, { inputTokens, outputTokens }] of calls.entries()) {
    if (ends[index]?.answered === true) tokens += inputTokens + outputTokens;
  }
  return {
    name,
    answered: durations.length,
    refused,
    failed: calls.length - durations.length - declined,
    attempts: provider.attempts,
    rateLimited: provider.rateLimited,
    hitRate: durations.length === 0 ? 0 : hits / durations.length,
    costDollars,
    p50Ms: quantileOf(durations, 0.5),
    p99Ms: quantileOf(durations, 0.99),
    goodput: spanMs === 0 ? 0 : (tokens * MINUTE_MS) / spanMs,
    fairness: fairnessOf(served),
    durations: Array.from({ length: QUANTILES }, (_, index) => quantileOf(durations, index / (QUANTILES - 1))),
  };
}

/** Says whether the whole answer came. */
async function ask(optimizer: Optimizer, call: ReplayedCall, index: number): Promise<boolean> {
  const { model, stream, question, client, priority } = call;
  const filler = "x".repeat(Math.max(0, call.inputTokens * CHARS_PER_TOKEN - FRAME_CHARS - question.length - 1));
  const scope: Scope = {
    ...(client === undefined ? {} : { client }),
    ...(priority === undefined ? {} : { priority }),
  };
  const body = JSON.stringify({
    model,
    stream,
    ...(stream ? { stream_options: { include_usage: true } } : {}),
    temperature: 0,
    messages: [{ role: "user", content: `${question} ${filler}` }],
    // No part of a question's identity.
    metadata: { call: String(index) },
  });
  const headers = { authorization: "Bearer replayed", "content-type": "application/json" };
  const response = await optimizer.run(scope, () => optimizer.fetch(URL, { method: "POST", headers, body }));
  const text = await response.text();
  return response.ok && (!stream || text.includes("[DONE]"));
}
