// Starts a TypeScript file of this repository on a current Node, installing first whatever is missing.
// It runs on whatever Node the system has, so it keeps to syntax and functions of Node 14.
import { spawn, spawnSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const root = resolve(dirname(fileURLToPath(import.meta.url)), "..");
const bin = join(root, "node_modules", ".bin");
const lockFile = join(root, "package-lock.json");
const stamp = join(root, "node_modules", ".installed-lock.json");
const OLDEST_MAJOR = 22;

function fail(sentence) {
  process.stderr.write(`${sentence}\n`);
  process.exit(1);
}

function installed() {
  return existsSync(stamp) && readFileSync(stamp, "utf8") === readFileSync(lockFile, "utf8");
}

function install() {
  process.stdout.write("Installing dependencies (once, about 20 seconds) ...\n");
  const npm = process.platform === "win32" ? "npm.cmd" : "npm";
  const result = spawnSync(npm, ["ci", "--no-audit", "--no-fund", "--loglevel=error"], { cwd: root, stdio: "inherit" });
  if (result.error !== undefined || result.status !== 0) {
    fail('Installing the dependencies failed: see above, then run "npm ci" by hand to try again.');
  }
  writeFileSync(stamp, readFileSync(lockFile, "utf8"));
}

// The dev dependency "node" carries a current Node; the system's own serves where it is new enough.
function currentNode() {
  const bundled = join(root, "node_modules", "node", "bin", process.platform === "win32" ? "node.exe" : "node");
  if (existsSync(bundled)) return bundled;
  if (Number(process.versions.node.split(".")[0]) >= OLDEST_MAJOR) return process.execPath;
  return fail(
    `This needs Node ${OLDEST_MAJOR} or later (found ${process.versions.node}), and the npm package "node" that carries one ` +
      'did not install: run "npm rebuild node", or install a current Node.',
  );
}

if (!installed()) install();
const [script, ...args] = process.argv.slice(2);
if (script === undefined) fail("Usage: node scripts/run.mjs <script.ts> [arguments]");

const node = currentNode();
const separator = process.platform === "win32" ? ";" : ":";
const child = spawn(node, [join(root, script), ...args], {
  cwd: root,
  stdio: "inherit",
  env: { ...process.env, PATH: [dirname(node), bin, process.env.PATH || ""].join(separator) },
});
// Ctrl-C reaches the child as well: it cleans up, and this process waits for it.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"])
  process.on(signal, () => signal === "SIGTERM" && child.kill(signal));
child.on("error", (error) => fail(`Could not start ${node}: ${error.message}`));
child.on("exit", (code, signal) => process.exit(code === null ? (signal === "SIGINT" ? 130 : 1) : code));
