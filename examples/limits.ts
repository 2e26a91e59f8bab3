// Two requests a minute for each user, and a caller who will not wait: the refusal says when to come back.
import { createOptimizer, refusalOf, scoped, withOptimization } from "breakwater";
import { startSimulatedProvider } from "breakwater/testing";
import OpenAI from "openai";

const { url, close } = await startSimulatedProvider();
const optimizer = createOptimizer({ rateLimit: { perClient: { requestsPerMinute: 2 }, burst: "1m" }, cache: false });
const openai = withOptimization(new OpenAI({ baseURL: url, apiKey: "sk-simulated" }), optimizer);

for (const client of ["ann", "ann", "ann", "bob"]) {
  try {
    await openai.embeddings.create(
      { model: "text-embedding-3-small", input: "one text" },
      scoped({ client, deadline: "5s" }),
    );
    console.log(client, "was answered");
  } catch (error) {
    // Code that handles the SDK's errors keeps working: this is its RateLimitError.
    const refusal = refusalOf(error);
    console.log(
      client,
      (error as Error).constructor.name,
      refusal?.code,
      `again in ${Math.ceil((refusal?.retryAfterMs ?? 0) / 1000)} s`,
    );
  }
}
await optimizer.close();
await close();
