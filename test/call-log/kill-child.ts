// Logs calls until it is killed, and reports how many rows have been written. Argument: path.
import { setImmediate as turn } from "node:timers/promises";
import { callLog } from "../../src/call-log/index.ts";
import { createOptimizer } from "../../src/index.ts";
import { tellOfCall } from "./support.ts";

const optimizer = createOptimizer({ environment: {}, monitor: false });
const log = callLog(optimizer, { path: process.argv[2] ?? "" });
for (;;) {
  for (let n = 0; n < 100; n++) tellOfCall(optimizer);
  await log.flush();
  process.send?.(log.stats().written);
  await turn();
}
