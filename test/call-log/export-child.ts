// Logs calls, exports all of them in both forms and reports how much that was. Arguments: path, how many.
import { once } from "node:events";
import { PassThrough, Readable } from "node:stream";
import { callLog } from "../../src/call-log/index.ts";
import { createOptimizer } from "../../src/index.ts";
import { tellOfCall } from "./support.ts";

const [path = "", count = "0"] = process.argv.slice(2);
const optimizer = createOptimizer({ environment: {}, monitor: false });
const log = callLog(optimizer, { path });
for (let n = 0; n < Number(count); n++) {
  tellOfCall(optimizer, { model: "gpt-5-mini", route: `route-${n % 20}` });
  if (n % 5_000 === 0) await log.flush();
}

async function drained(pieces: AsyncIterable<string>): Promise<{ bytes: number; lines: number }> {
  const passed = Readable.from(pieces).pipe(new PassThrough());
  let bytes = 0;
  let lines = 0;
  passed.on("data", (data: Buffer) => {
    bytes += data.byteLength;
    for (const byte of data) if (byte === 10) lines++;
  });
  await once(passed, "end");
  return { bytes, lines };
}

const csv = await drained(log.csv());
const json = await drained(log.jsonLines());
await log.close();
await optimizer.close();
console.log(JSON.stringify({ lines: csv.lines, csvMegabytes: csv.bytes / 1e6, jsonMegabytes: json.bytes / 1e6 }));
