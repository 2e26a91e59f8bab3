// One client has a hundred calls waiting, another comes with two: they take turns, and nobody starves.
import { createOptimizer } from "breakwater";

const optimizer = createOptimizer({ pool: { concurrency: 2, partitions: { nightly: { share: 0.25 } } } });
const answered: string[] = [];

const ask = (client: string, input: string): Promise<void> =>
  optimizer.run({ client }, () =>
    optimizer.call({ model: "my-model", input }, async () => {
      await new Promise((resolve) => setTimeout(resolve, 2));
      answered.push(client);
    }),
  );

const crowd = Array.from({ length: 100 }, (_, index) => ask("crowd", `question ${index}`));
const single = ["first", "second"].map((input) => ask("single", input));
await Promise.all([...crowd, ...single]);
const places = answered.flatMap((client, index) => (client === "single" ? [index + 1] : []));
console.log(`of ${answered.length} answers the single client had numbers ${places.join(" and ")}`);

// Jobs tell how far they are, and may take more than one slot.
optimizer.on("job.progress", ({ job, fraction, note }) => console.log(job, fraction ?? "", note ?? ""));
optimizer.submit(
  "report",
  async ({ progress }) => {
    progress("reading");
    progress(0.5);
    return "42 pages";
  },
  { client: "crowd", weight: 2 },
);
console.log(await optimizer.result("report"));
await optimizer.close();
