import { createOptimizer } from "../../src/index.ts";
import { warm } from "../../src/warming/index.ts";

const optimizer = createOptimizer({ environment: {}, monitor: false });
const warming = warm(optimizer, {
  calls: ["tea"],
  ask: (input) => optimizer.call({ model: "m", input }, async () => "answer"),
  interval: "1h",
  keepAlive: process.argv[2] === "keep-alive",
  onProgress: ({ filled }) => console.log(`filled ${filled}`),
});
// What stops it must not keep the process alive either.
setTimeout(() => void warming.stop(), 500).unref();
void warming.done.then(({ passes }) => console.log(`stopped in pass ${passes}`));
