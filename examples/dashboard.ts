// A dashboard, health and metrics over HTTP, while calls are made.
import { createOptimizer } from "breakwater";
import { serve } from "breakwater/http";

const optimizer = createOptimizer({ monitor: { prices: { "my-model": { input: 1, output: 4 } } } });
const server = await serve(optimizer, { port: 0, token: "example-token-0123456789" });
console.log(`Dashboard while this runs: ${server.url}`);

const answer = async () => {
  await new Promise((resolve) => setTimeout(resolve, 20 + 60 * Math.random()));
  return { text: "answer", usage: { input_tokens: 300, output_tokens: 40 } };
};
for (let second = 0; second < 3; second++) {
  const calls = Array.from({ length: 20 }, (_, n) => optimizer.call({ model: "my-model", input: n % 15 }, answer));
  await Promise.all(calls);
}

const ready = await fetch(`${server.url}health/ready`);
console.log("ready:", ready.status, await ready.text());
const metrics = await (await fetch(`${server.url}metrics`)).text();
console.log(
  metrics
    .split("\n")
    .filter((line) => line.startsWith("breakwater_calls_total"))
    .join("\n"),
);
const tuned = await fetch(`${server.url}api/v1/performance/optimize`, {
  method: "POST",
  headers: { authorization: "Bearer example-token-0123456789", "content-type": "application/json" },
  body: JSON.stringify({ profile: "interactive" }),
});
console.log("tuned:", await tuned.text());

await server.close();
await optimizer.close();
