/** `npm run test:long [-- name ...]`: the tests that take longer than a minute each. */
import { spawnSync } from "node:child_process";
import { join } from "node:path";

const { status } = spawnSync("vitest", ["run", ...process.argv.slice(2)], {
  cwd: join(import.meta.dirname, ".."),
  stdio: "inherit",
  env: { ...process.env, BREAKWATER_LONG_TESTS: "1" },
});
process.exit(status ?? 1);
