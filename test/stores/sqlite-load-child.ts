// Sets 5,000 values a second in a sqlite tier and reports which it has confirmed. Arguments: path, name of the values,
// "durable" or not.
import { createRuntime } from "../../src/core/index.ts";
import { sqlite } from "../../src/stores/index.ts";
import { bytesOf } from "./entries.ts";

const AT_ONCE = 25;
const EVERY_MS = 5;
const [path = "", name = "", durable] = process.argv.slice(2);
const store = sqlite({ path, durable: durable === "durable" }).open(createRuntime());
if (store.holds !== "bytes") throw new Error("A sqlite tier holds bytes.");
let next = 0;
setInterval(() => {
  const first = next;
  next += AT_ONCE;
  const sets = Array.from({ length: AT_ONCE }, (_, index) => {
    const key = `${name}${first + index}`;
    // Every second value expires soon.
    return store.set(key, bytesOf(key.repeat(200)), index % 2 === 0 ? 1000 : 3_600_000);
  });
  Promise.all(sets).then(
    () => process.send?.(first),
    () => {},
  );
}, EVERY_MS);
