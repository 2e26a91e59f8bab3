/** `npm run example -- examples/name.ts`: builds the package, which examples import by its name, and runs one. */
import { spawnSync } from "node:child_process";
import { join } from "node:path";

const root = join(import.meta.dirname, "..");
const [file] = process.argv.slice(2);
if (file === undefined) {
  console.error("Which example? For instance: npm run example -- examples/openai.ts");
  process.exit(2);
}
const build = spawnSync(process.execPath, [join(import.meta.dirname, "build.ts")], { stdio: "inherit" });
if (build.status !== 0) process.exit(build.status ?? 1);
const { status } = spawnSync(process.execPath, [join(root, file)], { stdio: "inherit", cwd: root });
process.exit(status ?? 1);
