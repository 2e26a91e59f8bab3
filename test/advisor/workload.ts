import { createOptimizer, type Optimizer, type OptimizerOptions, type Scope } from "../../src/index.ts";
import { simulatedFetch, VirtualClock } from "../../src/testing/index.ts";

/** A kind of call: what its requests look like and what the provider does to them. */
export interface Planted {
  readonly name: string;
  readonly model?: string;
  /** The instructions of the n-th call. */
  readonly system: (n: number) => string;
  /** What the user says in the n-th call. Default: something else each time. */
  readonly input?: (n: number) => string;
  readonly scope?: Scope;
  readonly maxTokens?: number;
  /** What happens to an attempt, from 1, of the n-th call. Default nothing. */
  readonly fault?: (n: number, attempt: number) => "slow" | "silent" | "overloaded" | undefined;
}

export interface Workload {
  readonly clock: VirtualClock;
  readonly optimizer: Optimizer;
  /** Makes `calls` calls of each kind, by turns, one after the other. */
  run(kinds: readonly Planted[], calls: number): Promise<void>;
}

const WORDS = "amber basil cedar delta ember fjord grove harbor island jasper kernel lagoon meadow nectar".split(" ");

/** Texts without a pattern, the same in every run. */
export function proseOf(seed: number, words: number): string {
  let state = (seed * 2_654_435_761) >>> 0 || 1;
  return Array.from({ length: words }, () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    const word = WORDS[state % WORDS.length] as string;
    return `${word}${"aeiou"[(state >>> 8) % 5]}${"lmnrst"[(state >>> 16) % 6]}`;
  }).join(" ");
}

/** An optimizer in front of a simulated provider, in virtual time; nothing but `cache` and `retry` does anything. */
export function workload(options: OptimizerOptions = {}): Workload {
  const clock = new VirtualClock();
  const faults = new Map<string, Planted["fault"]>();
  const attempts = new Map<string, number>();
  const fetch = simulatedFetch({
    clock,
    latency: { firstToken: 200, firstTokenSigma: 0, perInputToken: 0, perToken: 5, perTokenSigma: 0 },
    outputTokens: 40,
    faults: ({ body }) => {
      const { name, call } = JSON.parse(body).metadata as { name: string; call: number };
      const attempt = (attempts.get(`${name}/${call}`) ?? 0) + 1;
      attempts.set(`${name}/${call}`, attempt);
      const fault = faults.get(name)?.(call, attempt);
      if (fault === "slow") return { kind: "slowStart", factor: 100 };
      return fault;
    },
  });
  const optimizer = createOptimizer({
    environment: {},
    clock,
    fetch,
    breaker: false,
    throttle: false,
    hedge: false,
    timeout: { attempt: "30s", firstToken: "30s", idle: "30s", total: "5m" },
    ...options,
  });
  const ask = async (kind: Planted, n: number): Promise<void> => {
    const { name, model = "gpt-5-mini", maxTokens, system, input = () => `${proseOf(n + 7_000, 12)}?` } = kind;
    faults.set(name, kind.fault);
    const response = await optimizer.run(kind.scope ?? {}, () =>
      optimizer.fetch("https://api.openai.com/v1/chat/completions", {
        method: "POST",
        headers: {
          authorization: "Bearer sk-CANARY",
          "content-type": "application/json",
        },
        body: JSON.stringify({
          model,
          // Not part of the question.
          metadata: { name, call: n },
          ...(maxTokens !== undefined && { max_tokens: maxTokens }),
          messages: [
            { role: "system", content: system(n) },
            { role: "user", content: input(n) },
          ],
        }),
      }),
    );
    await response.text();
  };
  return {
    clock,
    optimizer,
    async run(kinds, calls) {
      for (let n = 0; n < calls; n++) {
        for (const kind of kinds) {
          await clock.run(ask(kind, n));
          await clock.advance(500);
        }
      }
    },
  };
}
