// An outage of ten minutes, in a fraction of a second: the clock, the chance and the provider are simulated.
import { createOptimizer } from "breakwater";
import { seededRandom, simulatedFetch, VirtualClock } from "breakwater/testing";

const clock = new VirtualClock();
const random = seededRandom(1);
const fetch = simulatedFetch({ clock, seed: 1, faults: [{ from: "1m", to: "11m", fault: "overloaded" }] });
const optimizer = createOptimizer({ clock, random, fetch, cache: false, environment: {} });

let answered = 0;
let failed = 0;
const ask = async (): Promise<void> => {
  const response = await optimizer.fetch("https://api.openai.com/v1/chat/completions", {
    method: "POST",
    headers: { authorization: "Bearer sk-simulated" },
    body: JSON.stringify({ model: "gpt-4o-mini", messages: [{ role: "user", content: "Still there?" }] }),
  });
  await response.text();
  if (response.ok) answered++;
  else failed++;
};
optimizer.on("breaker.opened", ({ samples }) =>
  console.log(`${Math.round(clock.now() / 1000)} s: breaker opened after ${samples} calls`),
);
optimizer.on("breaker.closed", () => console.log(`${Math.round(clock.now() / 1000)} s: breaker closed`));

for (let second = 0; second < 15 * 60; second++) {
  void ask();
  await clock.advance(1000);
}
await clock.advance(60_000);
console.log({ answered, failed });
await optimizer.close();
