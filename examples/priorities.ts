// Four calls for one slot: the urgent one goes first, and the background one is not forgotten.
import { createOptimizer, type PriorityName } from "breakwater";

const optimizer = createOptimizer({ pool: { concurrency: 1 } });
const answered: string[] = [];

const ask = (name: string, priority: PriorityName): Promise<void> =>
  optimizer.run({ priority }, () =>
    optimizer.call({ model: "my-model", input: name }, async () => {
      await new Promise((resolve) => setTimeout(resolve, 5));
      answered.push(`${name} (${priority})`);
    }),
  );

await Promise.all([
  ask("already running", "normal"),
  ask("nightly report", "background"),
  ask("summary", "normal"),
  ask("user at the screen", "critical"),
]);
console.log(answered.join("\n"));

// The pool alone, for work that is no call: an id now, the result later.
optimizer.submit("report-7", async () => "42 pages", { priority: "low" });
console.log(optimizer.status("report-7"), await optimizer.result("report-7"), optimizer.status("report-7"));
await optimizer.close();
