// An outage of a minute, in a fraction of a second: the clock, the chance and the provider are simulated.
import { createOptimizer } from "breakwater";
import { seededRandom, simulatedFetch, VirtualClock } from "breakwater/testing";

const clock = new VirtualClock();
const random = seededRandom(1);
const fetch = simulatedFetch({ clock, seed: 1, faults: [{ from: "1m", to: "2m", fault: "overloaded" }] });
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
const at = (): string => `${Math.round(clock.now() / 1000)} s`.padStart(5);
optimizer.on("breaker.opened", ({ reason, openForMs }) =>
  console.log(`${at()} open for ${openForMs / 1000} s: ${reason}`),
);
optimizer.on("breaker.closed", () => console.log(`${at()} closed`));

for (let second = 0; second < 4 * 60; second++) {
  void ask();
  await clock.advance(1000);
}
await clock.advance(60_000);
console.log({ answered, failed });
await optimizer.close();
