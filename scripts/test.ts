/** `npm test`: sets up what the tests need, then runs every check and says in one table how each ended. */
import { type SpawnSyncReturns, spawnSync } from "node:child_process";
import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";

const root = join(import.meta.dirname, "..");
const checks: { name: string; ok: boolean; seconds: number }[] = [];

function run(
  command: string,
  args: readonly string[],
  options: { cwd?: string; quiet?: boolean } = {},
): SpawnSyncReturns<string> {
  return spawnSync(command, args, {
    cwd: options.cwd ?? root,
    stdio: options.quiet ? "pipe" : "inherit",
    encoding: "utf8",
  });
}

function check(name: string, ...commands: (readonly [string, ...string[]])[]): void {
  const startedAt = performance.now();
  process.stdout.write(`\n== ${name}\n`);
  const ok = commands.every(([command, ...args]) => run(command, args).status === 0);
  checks.push({ name, ok, seconds: (performance.now() - startedAt) / 1000 });
}

function stop(sentence: string): never {
  process.stderr.write(`\n${sentence}\n`);
  process.exit(1);
}

function ensureRedis(): void {
  if (run("redis-server", ["--version"], { quiet: true }).status === 0) return;
  const isRoot = process.getuid?.() === 0;
  const hasApt = run("apt-get", ["--version"], { quiet: true }).status === 0;
  if (isRoot && hasApt) {
    process.stdout.write("Installing redis-server with apt-get (once) ...\n");
    run("apt-get", ["update", "-qq"], { quiet: true });
    run("apt-get", ["install", "-y", "-qq", "--no-install-recommends", "redis-server"], { quiet: true });
  }
  if (run("redis-server", ["--version"], { quiet: true }).status !== 0) {
    stop(
      'The tests talk to a real Redis: install the program "redis-server" (Debian: "apt-get install redis-server") and run "npm test" again.',
    );
  }
}

/** @keyv/sqlite brings a native module that compiles for over a minute: only the tests need it, so only they install it. */
function ensureNativeModules(): void {
  const folder = join(root, "test", "native");
  const wanted = ["@keyv/sqlite", "better-sqlite3"];
  if (wanted.every((name) => existsSync(join(folder, "node_modules", name, "package.json")))) return;
  process.stdout.write(
    "Installing @keyv/sqlite and better-sqlite3 for the tests (once; it compiles for a minute or two) ...\n",
  );
  const result = run("npm", ["ci", "--no-audit", "--no-fund", "--loglevel=error"], { cwd: folder });
  if (result.status !== 0) {
    rmSync(join(folder, "node_modules"), { recursive: true, force: true });
    stop(
      'The tests use the native module of @keyv/sqlite, which did not install: it needs python3, make and a C++ compiler (Debian: "apt-get install python3 make g++").',
    );
  }
}

ensureRedis();
ensureNativeModules();

check("lint", ["biome", "ci", "."]);
check("types", ["tsc", "-p", "tsconfig.json"]);
check("build", ["node", join(root, "scripts", "build.ts")]);
check("tests", ["vitest", "run"]);
check("package", ["publint", "--strict"], ["attw", "--pack", ".", "--profile", "esm-only"]);
check("unused code", ["knip"]);

process.stdout.write("\n");
for (const { name, ok, seconds } of checks) {
  process.stdout.write(`${ok ? "passed" : "FAILED"}  ${name.padEnd(12)} ${seconds.toFixed(1).padStart(6)} s\n`);
}
process.exit(checks.every(({ ok }) => ok) ? 0 : 1);
