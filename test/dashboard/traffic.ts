import { createOptimizer, type Optimizer, type OptimizerOptions } from "../../src/index.ts";

const MODELS = ["gpt-4o-mini", "gpt-4o", "o4-mini"];

/** An optimizer that knows what its calls cost. */
export function pricedOptimizer(options: OptimizerOptions = {}): Optimizer {
  return createOptimizer({
    environment: {},
    retry: { attempts: 2, baseDelay: 1 },
    monitor: { prices: Object.fromEntries(MODELS.map((model) => [model, { input: 1, output: 4 }])) },
    ...options,
  });
}

/** Calls of every kind: answered, repeated, streamed, retried, failed. */
export async function someTraffic(optimizer: Optimizer, count = 60): Promise<void> {
  const one = async (n: number): Promise<void> => {
    const model = MODELS[n % MODELS.length] as string;
    let tries = 0;
    await optimizer
      .call({ model, input: `question ${n % 50}` }, () => {
        tries++;
        if (n % 20 === 3 || (n % 10 === 1 && tries === 1)) throw Object.assign(new Error("busy"), { status: 500 });
        return { answer: n, usage: { input_tokens: 100, output_tokens: 20 } };
      })
      .catch(() => {});
  };
  for (let n = 0; n < count; n++) await one(n);
}
