// A collection is embedded again and again as it grows: each text is sent once, however it is batched.
import { createOptimizer, withOptimization } from "breakwater";
import { startSimulatedProvider } from "breakwater/testing";
import OpenAI from "openai";

// Stands in for the real provider, so that this file runs anywhere. Yours is `new OpenAI()`.
const { url, close, provider } = await startSimulatedProvider({ latency: false });
const optimizer = createOptimizer();
const openai = withOptimization(new OpenAI({ baseURL: url, apiKey: "sk-simulated" }), optimizer);

let spent = 0;
optimizer.on("attempt.completed", ({ usage }) => (spent += usage?.inputTokens ?? 0));

const embed = (input: string[]) => openai.embeddings.create({ model: "text-embedding-3-small", input });

const documents = ["The tide turns at six.", "A harbour is a shelter.", "Stones break the waves."];
await embed(documents);
documents.push("The light is on until dawn.", "A harbour is a shelter.");
const answer = await embed(documents.toReversed());

console.log("vectors:          ", answer.data.length);
console.log("requests:         ", provider.stats().requests);
console.log("tokens, all texts:", answer.usage.prompt_tokens);
console.log("tokens, sent:     ", spent);
console.log("cache hits:       ", optimizer.stats().cacheHits);

await optimizer.close();
await close();
