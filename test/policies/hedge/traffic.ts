import {
  type Call,
  Cancellation,
  type Chunk,
  type Outcome,
  type Policy,
  pipeline,
  type Random,
  type Runtime,
  type Settlement,
  seededRandom,
  streamFor,
  streamReply,
  type Timer,
  whole,
} from "../../../src/core/index.ts";
import type { VirtualClock } from "../../../src/testing/virtual-clock.ts";
import { callOf, drain } from "../../support/calls.ts";

/** How a provider streams: when its first token comes, and how long the rest takes. */
export interface Speaking {
  readonly firstMs: (random: Random, now: number) => number;
  readonly restMs: number;
}

/** What came of some traffic. */
export interface Result {
  /** Times to first token as callers saw them, sorted. */
  readonly ttft: readonly number[];
  readonly sent: number;
  /** Tokens that providers were paid for: each input, and what was said until the end or the cancellation. */
  readonly tokens: number;
  readonly failed: number;
}

const INPUT_TOKENS = 400;
const OUTPUT_TOKENS = 200;

/** 95 % log-normal around 400 ms, 5 % ten times as slow. */
export function withStragglers(random: Random): number {
  return logNormal(400, 0.3, random) * (random() < 0.05 ? 10 : 1);
}

export function logNormal(median: number, sigma: number, random: Random): number {
  const normal = Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  return median * Math.exp(sigma * normal);
}

/** Sends `count` streamed calls, one every `everyMs`, and reads all of them to the end. */
export async function traffic(
  { clock, runtime }: { readonly clock: VirtualClock; readonly runtime: Runtime },
  policies: readonly Policy[],
  { firstMs, restMs }: Speaking,
  options: { readonly count: number; readonly everyMs: number; readonly seed: number },
): Promise<Result> {
  const line = pipeline(...policies);
  const random = seededRandom(options.seed);
  const ttft: number[] = [];
  let sent = 0;
  let tokens = 0;
  let failed = 0;

  const send = (call: Call): Promise<Outcome> => {
    sent++;
    tokens += INPUT_TOKENS;
    const rest: [ms: number, chunk: Chunk | Settlement][] = [
      [firstMs(random, clock.now()), { role: "content", value: "token" }],
      [restMs, whole({ usage: { inputTokens: INPUT_TOKENS, outputTokens: OUTPUT_TOKENS } })],
    ];
    let timer: Timer | undefined;
    const pull = (): Promise<Chunk | Settlement> =>
      new Promise((resolve) => {
        const [ms, item] = rest.shift() ?? [0, whole()];
        timer = clock.timer(ms, () => {
          if (!("role" in item)) tokens += OUTPUT_TOKENS;
          resolve(item);
        });
      });
    const cancel = (): undefined => {
      timer?.cancel();
    };
    return Promise.resolve(streamReply(streamFor(call, { pull, cancel })));
  };
  const one = async (): Promise<void> => {
    const startedAt = clock.now();
    const call = callOf(runtime, send, {
      stream: true,
      inputChars: INPUT_TOKENS * 4,
      cancellation: new Cancellation(),
    });
    const outcome = await line.execute(call);
    if (!outcome.ok || outcome.body.kind !== "stream") {
      failed++;
      return;
    }
    await outcome.body.next();
    ttft.push(clock.now() - startedAt);
    await drain(outcome.body);
  };
  const running: Promise<void>[] = [];
  for (let index = 0; index < options.count; index++) {
    running.push(one());
    await clock.advance(options.everyMs);
  }
  await clock.run(Promise.all(running));
  return { ttft: ttft.sort((a, b) => a - b), sent, tokens, failed };
}

export function percentile(sorted: readonly number[], q: number): number {
  return sorted[Math.min(sorted.length - 1, Math.ceil(q * sorted.length) - 1)] ?? Number.NaN;
}
