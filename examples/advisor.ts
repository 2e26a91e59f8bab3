// What the advisor says of an hour of traffic with three faults in it, made in virtual time.
import { createOptimizer } from "breakwater";
import { advisor } from "breakwater/advisor";
import { VirtualClock } from "breakwater/testing";

const clock = new VirtualClock();
const optimizer = createOptimizer({
  clock,
  environment: {},
  monitor: { prices: { "my-model": { input: 1, cachedInput: 0.1, output: 4 } } },
});
const watching = advisor(optimizer, { slowCall: "5s" });
const wait = (ms: number) => new Promise<void>((resolve) => void clock.timer(ms, resolve));
const rules = Array.from({ length: 200 }, (_, n) => `Rule ${n}: of ${n * 7} cases, ${n * 3} are to be escalated.`).join(
  "\n",
);

const ask = (route: string, system: string, input: string, ms: number, cache: "default" | "bypass" = "default") =>
  optimizer.run({ route, cache }, () =>
    optimizer.call({ model: "my-model", system, input }, async () => {
      await wait(ms);
      return {
        text: "an answer",
        usage: { inputTokens: Math.ceil((system.length + input.length) / 4), outputTokens: 60 },
      };
    }),
  );

for (let n = 0; n < 60; n++) {
  // Well made: what changes comes last, and the cache is used.
  await clock.run(ask("triage", rules, `Ticket ${n}`, 800));
  // The date stands before everything that stays the same.
  await clock.run(ask("support", `It is minute ${n}, request ${n * 7919}.\n${rules}`, `Ticket ${n}`, 800));
  // The same five questions, with the cache switched off.
  await clock.run(ask("lookup", "You look things up.", `Where is ${n % 5}?`, 800, "bypass"));
  // Half of them take long.
  await clock.run(ask("essay", "You write essays.", `Essay ${n}`, n % 2 === 0 ? 12_000 : 900));
  // A slow query beside them.
  await clock.run(optimizer.monitor.measure("db.orders", () => wait(n % 3 === 0 ? 2_500 : 40)));
  await clock.advance(40_000);
}

console.log(watching.format());
watching.close();
await optimizer.close();
