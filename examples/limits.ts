// Two requests at once for each user, then one every 30 s, and a caller who waits no longer than 5 s: the refusal says
// when to come back. The default `burst` of a second would spread the two as well.
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
