// Fills the cache in the background, behind everybody who waits, through an outage of the provider.
import { createOptimizer, progressText, prompts, warm } from "breakwater";

const optimizer = createOptimizer({
  retry: { attempts: 1 },
  breaker: { minimumCalls: 5, failureRate: 0.3, halfOpenAfter: "300ms" },
});
optimizer.on("breaker.opened", ({ openForMs }) => console.log(`the breaker opens for ${openForMs} ms`));
optimizer.on("breaker.closed", () => console.log("the breaker closes"));

let calls = 0;
const ask = (prompt: string) =>
  optimizer.call({ model: "my-model", input: prompt }, async () => {
    await new Promise((resolve) => setTimeout(resolve, 20));
    // The provider is down for a while.
    if (++calls > 8 && calls <= 15) throw Object.assign(new Error("internal error"), { status: 500 });
    return { text: `You asked: ${prompt}`, usage: { inputTokens: 8, outputTokens: 12 } };
  });

await ask("Explain rain to a child.");
const warming = warm(optimizer, {
  calls: prompts({
    template: "Explain {topic} to a {who}.",
    values: { topic: ["rain", "snow", "wind", "hail", "fog"], who: ["child", "student", "farmer", "pilot"] },
  }),
  ask,
  onProgress: (progress) => {
    if (progress.done % 5 === 0) console.log(progressText(progress));
  },
});
const urgent = await optimizer.run({ priority: "high" }, () => ask("Is the road open?"));
console.log("meanwhile:", urgent.text);

const { hits, filled, failed, costTokens, ended } = await warming.done;
console.log({ hits, filled, failed, costTokens, ended });

const before = calls;
await ask("Explain fog to a pilot.");
console.log("asked afterwards, answered from the cache:", calls === before);
await optimizer.close();
