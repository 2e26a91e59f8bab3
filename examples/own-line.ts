// A line of your own: three policies of the shelf, one of yours, and a client that has no other way in than `fetch`.
import { breaker, createFetch, type Policy, pipeline, retry, timeout } from "breakwater";
import { startSimulatedProvider } from "breakwater/testing";

const stopwatch: Policy = {
  name: "stopwatch",
  ring: "call",
  async handle(call, next) {
    const startedAt = performance.now();
    const outcome = await next(call);
    if (outcome.ok) {
      outcome.settled.subscribe(({ usage }) => {
        console.log(`${call.model}: ${usage?.outputTokens} tokens in ${Math.round(performance.now() - startedAt)} ms`);
      });
    }
    return outcome;
  },
};

const line = pipeline(stopwatch, retry({ attempts: 3, baseDelay: "50ms" }), breaker(), timeout({ firstToken: "5s" }));
const fetchThroughLine = createFetch(line);

// The first request meets an error of the provider; the line tries again.
const { url, close } = await startSimulatedProvider({ faults: [{ kind: "status", status: 500 }] });
const response = await fetchThroughLine(`${url}/chat/completions`, {
  method: "POST",
  headers: { "content-type": "application/json", authorization: "Bearer sk-simulated" },
  body: JSON.stringify({ model: "gpt-4o-mini", messages: [{ role: "user", content: "Hello" }] }),
});
console.log(response.status, ((await response.json()) as { object: string }).object);
await line.close();
await close();
