// A line whose timeout cuts off good answers, and how it tunes itself: each step, and what came of it.
import { createOptimizer, seededRandom } from "breakwater";
import { createProviderModel, VirtualClock } from "breakwater/testing";
import { autoTune } from "breakwater/tuning";

// Virtual time: four hours of calls take a few seconds.
const clock = new VirtualClock();
const random = seededRandom(1);
const provider = createProviderModel({ clock });
const optimizer = createOptimizer({
  clock,
  random,
  fetch: provider.fetch,
  environment: {},
  cache: false,
  breaker: false,
  retry: { attempts: 1 },
  timeout: { attempt: "3s" },
  monitor: { defaultAlerts: false },
});

const minute = (): string => `${String(Math.round(clock.now() / 60_000)).padStart(3)} min`;
optimizer.on("tuning.applied", ({ kind, option, from, to }) => {
  console.log(`${minute()}: ${kind}: ${option} from ${from} to ${to}`);
});
optimizer.on("tuning.kept", ({ option, to, reason }) => console.log(`${minute()}: ${option} stays ${to}: ${reason}`));
optimizer.on("tuning.rolled_back", ({ option, from, reason }) => {
  console.log(`${minute()}: ${option} is ${from} again: ${reason}`);
});
const tuner = autoTune(optimizer, { level: "advanced", bounds: { "timeout.attempt": { max: 60_000 } } });

async function ask(question: number): Promise<void> {
  const body = JSON.stringify({ model: "gpt-5", messages: [{ role: "user", content: `Question ${question}` }] });
  const headers = { authorization: "Bearer key" };
  const init = { method: "POST", headers, body };
  // Many are cut off: that is what it is about.
  await optimizer.fetch("https://api.openai.com/v1/chat/completions", init).then(
    (reply) => reply.text(),
    () => undefined,
  );
}

const asked: Promise<void>[] = [];
for (let hour = 1; hour <= 4; hour++) {
  for (const end = hour * 3_600_000; clock.now() < end; ) {
    await clock.advance(-4_000 * Math.log(1 - random()));
    asked.push(ask(asked.length));
  }
  const share = optimizer.monitor.read("breakwater.calls", {
    aggregate: "ratio",
    share: { outcome: "success" },
    window: "30m",
  });
  console.log(`${minute()}: ${((share ?? 0) * 100).toFixed(1)} % of the calls of the last half hour were answered`);
}
await clock.run(Promise.all(asked));

// A change that has not been judged yet is taken back.
tuner.stop();
const { attempt } = (optimizer.stats().policies["timeout"] as { limits: { attempt: number } }).limits;
console.log(`\ntimeout.attempt was 3000 ms and is ${attempt} ms after ${tuner.history().length} changes.`);
await optimizer.close();
