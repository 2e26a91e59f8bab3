import { seededRandom } from "../../src/core/index.ts";
import { createOptimizer, type OptimizerOptions } from "../../src/index.ts";
import type { Optimizer } from "../../src/optimizer.ts";
import { createProviderModel, type ProviderModelOptions } from "../../src/testing/index.ts";
import { VirtualClock } from "../../src/testing/virtual-clock.ts";

export interface World {
  readonly clock: VirtualClock;
  readonly optimizer: Optimizer;
  /** Lets calls come in, spaced as by chance, for so many minutes. */
  traffic(minutes: number, perMinute: number, options?: TrafficOptions): Promise<void>;
}

export interface TrafficOptions {
  readonly models?: readonly string[];
  readonly maxTokens?: number;
}

const URL = "https://api.openai.com/v1/chat/completions";

/** An optimizer and a simulated provider in virtual time. */
export function worldOf(options: OptimizerOptions = {}, provider: ProviderModelOptions = {}, seed = 1): World {
  const clock = new VirtualClock();
  const random = seededRandom(seed);
  const model = createProviderModel({ ...provider, clock, seed });
  const optimizer = createOptimizer({
    cache: false,
    ...options,
    clock,
    random: seededRandom(seed + 1),
    environment: {},
    fetch: model.fetch,
  });
  let asked = 0;
  const ask = async (name: string, maxTokens: number): Promise<void> => {
    const body = JSON.stringify({
      model: name,
      max_tokens: maxTokens,
      messages: [{ role: "user", content: `Question ${asked++}` }],
    });
    const headers = { authorization: "Bearer key", "content-type": "application/json" };
    await optimizer.fetch(URL, { method: "POST", headers, body }).then(
      (reply) => reply.text(),
      () => undefined,
    );
  };
  return {
    clock,
    optimizer,
    async traffic(minutes, perMinute, { models = ["gpt-5"], maxTokens = 200 } = {}) {
      const until = clock.now() + minutes * 60_000;
      while (clock.now() < until) {
        await clock.advance(Math.min(until - clock.now(), (-60_000 / perMinute) * Math.log(1 - random())));
        void ask(models[Math.floor(random() * models.length)] as string, maxTokens);
      }
    },
  };
}
