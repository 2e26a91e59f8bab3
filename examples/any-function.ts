// Any async function runs through the same line: this one fails twice before it answers.
import { createOptimizer } from "breakwater";

const optimizer = createOptimizer({ retry: { baseDelay: "10ms" } });
optimizer.on("retry.scheduled", ({ attempt, delayMs, reason }) => {
  console.log(`attempt ${attempt} in ${Math.round(delayMs)} ms, after ${reason}`);
});

let calls = 0;
async function askMyModel(prompt: string, signal: AbortSignal): Promise<{ text: string }> {
  signal.throwIfAborted();
  if (++calls < 3) throw Object.assign(new Error("internal error"), { status: 500 });
  return { text: `You asked: ${prompt}` };
}

const prompt = "Is it raining?";
const answer = await optimizer.call({ model: "my-model", input: prompt, temperature: 0 }, ({ signal }) =>
  askMyModel(prompt, signal),
);
console.log(answer.text);

const explanation = optimizer.explain(answer);
console.log(
  `attempts: ${explanation?.attempts.length}, waited ${Math.round(explanation?.waits.backoff ?? 0)} ms to try again`,
);
await optimizer.close();
