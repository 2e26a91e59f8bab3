// Writes values to a sqlite tier, reads them back, and reports each that was kept. Arguments: path, name of the values, how many.
import { createRuntime } from "../../src/core/index.ts";
import { sqlite } from "../../src/stores/index.ts";
import { bytesOf } from "./entries.ts";

const [path = "", name = "", count = "0"] = process.argv.slice(2);
const store = sqlite({ path }).open(createRuntime());
if (store.holds !== "bytes") throw new Error("A sqlite tier holds bytes.");
for (let index = 0; index < Number(count); index++) {
  await store.set(`${name}${index}`, bytesOf(`${name}${index}`.repeat(100)), 3_600_000);
  if ((await store.get(`${name}${index}`)) === undefined) throw new Error("It does not hold what it has confirmed.");
  if (index % 10 === 0) await store.marks?.invalidate(["faq"]);
  process.send?.(index);
}
await store.close?.();
