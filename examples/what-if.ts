// Records the shape of some traffic, then replays it under other options: a table, and a chart in a file.
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createOptimizer, seededRandom } from "breakwater";
import { formatReplay, plotReplay, readTracedCalls, recordTrace, replay } from "breakwater/lab";
import { createProviderModel, VirtualClock } from "breakwater/testing";

// Ten minutes of an application: three clients, questions that come again, a provider with limits of its own.
const clock = new VirtualClock();
const random = seededRandom(1);
const provider = createProviderModel({ clock, tokensPerMinute: 60_000, settle: true, reserveMaxTokens: false });
const optimizer = createOptimizer({ clock, random, fetch: provider.fetch, environment: {} });

let lines = "";
// In production: a stream to a file.
const recording = recordTrace(optimizer, { write: (line) => (lines += line) });

async function ask(client: string, question: number): Promise<void> {
  const content = `Question ${question}: ${"how does the tide turn? ".repeat(20 + (question % 60))}`;
  const body = JSON.stringify({ model: "gpt-4o-mini", messages: [{ role: "user", content }] });
  const headers = { authorization: "Bearer key" };
  const url = "https://api.openai.com/v1/chat/completions";
  const reply = await optimizer.run({ client }, () => optimizer.fetch(url, { method: "POST", headers, body }));
  await reply.text();
}

const asked: Promise<void>[] = [];
for (let n = 0; n < 1_500; n++) {
  await clock.advance(-400 * Math.log(1 - random()));
  const client = random() < 0.8 ? "batch" : random() < 0.5 ? "web" : "mobile";
  asked.push(ask(client, Math.floor(400 * random() ** 2)));
}
await clock.run(Promise.all(asked));
recording.stop();
await optimizer.close();
console.log(`Recorded ${recording.recorded} calls, such as ${lines.slice(0, lines.indexOf("\n"))}\n`);

const report = await replay(
  readTracedCalls(lines),
  [
    { name: "as it is", optimizer: {} },
    { name: "no cache", optimizer: { cache: false } },
    { name: "no cache, no limiter", optimizer: { cache: false, rateLimit: false } },
    {
      name: "no cache, short queue",
      optimizer: { cache: false, rateLimit: { tokensPerMinute: 60_000, maxQueue: 20 } },
    },
  ],
  // Twice the traffic at the provider's present limit.
  { load: 2, provider: { tokensPerMinute: 60_000 }, prices: { "*": { input: 0.15, output: 0.6 } } },
);
console.log(formatReplay(report));

const file = join(mkdtempSync(join(tmpdir(), "breakwater-")), "what-if.svg");
writeFileSync(file, plotReplay(report));
console.log(`\nThe chart is in ${file}`);
