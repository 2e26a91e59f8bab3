// What a day's report says: a provider that gets worse, what to do about it, and a picture of it in a file.
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createOptimizer, seededRandom } from "breakwater";
import { formatHtml, formatMarkdown, journal, plot } from "breakwater/reports";
import { createProviderModel, VirtualClock } from "breakwater/testing";

// Virtual time: an hour of calls takes a second or two.
const clock = new VirtualClock();
const random = seededRandom(1);
let failing = false;
const provider = createProviderModel({
  clock,
  faults: ({ chance, model }) => (chance < (failing && model === "gpt-5" ? 0.3 : 0.01) ? "overloaded" : undefined),
});
const optimizer = createOptimizer({
  clock,
  random,
  fetch: provider.fetch,
  environment: {},
  cache: false,
  retry: { attempts: 1 },
  breaker: false,
  monitor: { prices: { "gpt-5": { input: 1.25, output: 10 }, "gpt-5-mini": { input: 0.25, output: 2 } } },
});
// In production: journal(optimizer), or dailyReport(optimizer, { handler }).
const book = journal(optimizer, { every: "5m", keep: "2h" });

async function ask(model: string, question: number): Promise<void> {
  const body = JSON.stringify({ model, messages: [{ role: "user", content: `Question ${question}` }] });
  const headers = { authorization: "Bearer key" };
  const reply = await optimizer.fetch("https://api.openai.com/v1/chat/completions", { method: "POST", headers, body });
  await reply.text();
}

const asked: Promise<void>[] = [];
for (let n = 0; n < 1_200; n++) {
  failing = n >= 600;
  await clock.advance(-3_000 * Math.log(1 - random()));
  asked.push(ask(random() < 0.5 ? "gpt-5" : "gpt-5-mini", n));
}
await clock.run(Promise.all(asked));

const summary = book.summary({ hours: 0.5 });
console.log(formatMarkdown(summary));

const picture = plot(optimizer.monitor, "breakwater.calls", {
  aggregate: "ratio",
  share: { outcome: "success" },
  minutes: 60,
  by: "model",
  title: "Calls that were answered",
});
const folder = mkdtempSync(join(tmpdir(), "breakwater-"));
writeFileSync(join(folder, "answered.svg"), picture);
writeFileSync(join(folder, "report.html"), formatHtml(summary, { plots: [picture] }));
console.log(`The picture and the page are in ${folder}: answered.svg, report.html`);

book.close();
await optimizer.close();
