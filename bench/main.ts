/** `npm run bench [-- name ...]`: runs the benchmarks of this folder, each in a process of its own. */
import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { join } from "node:path";

const NOT_BENCHMARKS = [
  "main",
  "measure",
  "data/traces",
  "flow/goodput-clients",
  "flow/harness",
  "flow/virtual-globals",
];
const all = readdirSync(import.meta.dirname, { recursive: true, encoding: "utf8" })
  .filter((file) => file.endsWith(".ts") && !file.endsWith("-child.ts"))
  .map((file) => file.replace(/\.ts$/, ""))
  .filter((name) => !NOT_BENCHMARKS.includes(name))
  .sort();
// A folder stands for all that is in it.
const wanted = process.argv.slice(2);
const chosen = wanted.flatMap((name) => {
  const found = all.filter((one) => one === name || one.startsWith(`${name}/`));
  if (found.length === 0) {
    console.error(`No benchmark called ${name}; there are ${all.join(", ")}.`);
    process.exit(2);
  }
  return found;
});

let failed = false;
for (const name of chosen.length > 0 ? chosen : all) {
  console.log(`\n== ${name}`);
  const { status } = spawnSync(process.execPath, ["--expose-gc", join(import.meta.dirname, `${name}.ts`)], {
    stdio: "inherit",
  });
  failed ||= status !== 0;
}
process.exit(failed ? 1 : 0);
