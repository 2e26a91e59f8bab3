// A client you already have, wrapped: the second of two equal questions never leaves the process.
import { createOptimizer, withOptimization } from "breakwater";
import { startSimulatedProvider } from "breakwater/testing";
import OpenAI from "openai";

// Stands in for the real provider, so that this file runs anywhere. Yours is `new OpenAI()`.
const { url, close } = await startSimulatedProvider();
const optimizer = createOptimizer();
const openai = withOptimization(new OpenAI({ baseURL: url, apiKey: "sk-simulated" }), optimizer);

const question = {
  model: "gpt-4o-mini",
  messages: [{ role: "user", content: "What is a breakwater?" }],
  temperature: 0,
} as const;

const whole = await openai.chat.completions.create({ ...question, messages: [...question.messages] });
console.log("asked:   ", whole.choices[0]?.message.content);

// Streamed this time, and still the same answer: one entry serves both.
let text = "";
for await (const chunk of await openai.chat.completions.create({
  ...question,
  messages: [...question.messages],
  stream: true,
})) {
  text += chunk.choices[0]?.delta.content ?? "";
}
console.log("streamed:", text);
console.log("cache:   ", optimizer.stats().cacheHits);

await optimizer.close();
await close();
