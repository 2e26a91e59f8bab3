// A provider goes down for two seconds: its calls are answered by another one, and come back when it does.

import { createOptimizer, targetOf, withOptimization } from "breakwater";
import { startSimulatedProvider } from "breakwater/testing";
import OpenAI from "openai";

await using primary = await startSimulatedProvider({ latency: false });
await using spare = await startSimulatedProvider({ latency: false, seed: 2 });

const optimizer = createOptimizer({
  cache: false,
  environment: {},
  fallback: {
    targets: [
      targetOf({ client: new OpenAI({ apiKey: "sk-spare", baseURL: spare.url }), model: "small-model", name: "spare" }),
    ],
    maxWait: "100ms",
    probeEvery: "200ms",
    returnOver: "500ms",
  },
  breaker: { maxOpen: "1s", ramp: "500ms" },
});
const client = withOptimization(new OpenAI({ apiKey: "sk-primary", baseURL: primary.url }), optimizer);

optimizer.on("fallback.left", ({ target, reason }) => console.log(`  ${target} is given up: ${reason}`));
optimizer.on("fallback.returned", ({ awayMs }) => console.log(`  it is back after ${(awayMs / 1000).toFixed(1)} s`));

async function ask(seconds: number): Promise<void> {
  const answers = new Map<string, number>();
  for (let n = 0; n < seconds * 20; n++) {
    const body = { model: "large-model", messages: [{ role: "user" as const, content: `Question ${n}` }] };
    const { model } = await client.chat.completions.create(body);
    answers.set(model, (answers.get(model) ?? 0) + 1);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  for (const [model, count] of answers) console.log(`  ${count} answered by ${model}`);
}

console.log("The primary is up:");
await ask(1);
console.log("The primary is down:");
await primary.pause();
await ask(2);
console.log("The primary is up again:");
await primary.resume();
await ask(3);
await optimizer.close();
