// A row for every call, read by page and exported as CSV.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createOptimizer } from "breakwater";
import { callLog } from "breakwater/call-log";

const folder = mkdtempSync(join(tmpdir(), "breakwater-"));
const optimizer = createOptimizer({
  retry: false,
  monitor: { prices: { "my-model": { input: 1, output: 4 } } },
});
const log = callLog(optimizer, { path: join(folder, "calls.db") });

const ask = (n: number) =>
  optimizer.run({ route: n % 2 === 0 ? "summarize" : "classify" }, () =>
    optimizer.call({ model: "my-model", input: `question ${n % 8}` }, async () => {
      if (n === 7) throw Object.assign(new Error("overloaded"), { status: 503 });
      return { text: "an answer", usage: { inputTokens: 900 + n, outputTokens: 30 } };
    }),
  );
for (let n = 0; n < 12; n++) await ask(n).catch(() => {});

const page = await log.query({ route: "summarize", perPage: 3 });
console.log(`page 1 of ${page.totalPages}: ${page.total} calls of "summarize"`);
for (const { model, servedBy, inputTokens, cost } of page.rows) {
  console.log(`  ${model} ${servedBy}, ${inputTokens ?? "no"} input tokens, $${cost?.toFixed(6)}`);
}
const failures = await log.query({ outcome: "error" });
console.log("failures:", failures.rows.map(({ errorType, status }) => `${errorType} ${status}`).join(", "));

let csv = "";
for await (const piece of log.csv()) csv += piece;
console.log(`CSV: ${csv.split("\r\n").length - 2} rows, ${csv.split(",", 3).join(", ")} ...`);

await optimizer.close();
await log.close();
rmSync(folder, { recursive: true });
