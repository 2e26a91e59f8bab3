/** `npm test`: sets up what the tests need, then runs every check and says in one table how each ended. */
import { type SpawnSyncReturns, spawnSync } from "node:child_process";
import { existsSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";

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

/** Programs that the tests run, each with the Debian package that brings it. */
const PROGRAMS = [
  { program: "redis-server", debian: "redis-server", why: "talk to a real Redis" },
  { program: "chromium", debian: "chromium", why: "open the dashboard in a real browser" },
  { program: "promtool", debian: "prometheus", why: "let Prometheus judge what it would scrape" },
] as const;

const isMissing = ({ program }: { program: string }): boolean =>
  run(program, ["--version"], { quiet: true }).status !== 0;

function ensurePrograms(): void {
  const wanted = PROGRAMS.filter(isMissing);
  if (wanted.length === 0) return;
  const isRoot = process.getuid?.() === 0;
  const hasApt = run("apt-get", ["--version"], { quiet: true }).status === 0;
  if (isRoot && hasApt) {
    const packages = wanted.map(({ debian }) => debian);
    process.stdout.write(`Installing ${packages.join(", ")} with apt-get (once) ...\n`);
    run("apt-get", ["update", "-qq"], { quiet: true });
    run("apt-get", ["install", "-y", "-qq", "--no-install-recommends", ...packages], { quiet: true });
  }
  const [missing] = wanted.filter(isMissing);
  if (missing === undefined) return;
  const { program, debian, why } = missing;
  stop(
    `The tests ${why}: install the program "${program}" (Debian: "apt-get install ${debian}") and run "npm test" again.`,
  );
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

interface TestFile {
  readonly name: string;
  readonly status: string;
  readonly message: string;
  readonly assertionResults: readonly { fullName: string; status: string; failureMessages: readonly string[] }[];
}

// Said once more at the end, where whoever sees only the last lines finds it.
function failedTests(path: string): { name: string; failures: string }[] {
  if (!existsSync(path)) return [];
  const { testResults } = JSON.parse(readFileSync(path, "utf8")) as { testResults: readonly TestFile[] };
  rmSync(path);
  return testResults.flatMap(({ name, status, message, assertionResults }) => {
    const failed = assertionResults.filter((test) => test.status === "failed");
    const tests = failed.map(({ fullName, failureMessages }) => ({
      name: `FAILED  ${relative(root, name)}: ${fullName}`,
      failures: firstLines(failureMessages.join("\n")),
    }));
    if (tests.length > 0 || status !== "failed") return tests;
    return [{ name: `FAILED  ${relative(root, name)}`, failures: firstLines(message) }];
  });
}

function firstLines(text: string): string {
  return text.split("\n").slice(0, 12).join("\n");
}

ensurePrograms();
ensureNativeModules();

check("lint", ["biome", "ci", "."]);
check("types", ["tsc", "-p", "tsconfig.json"], ["tsc", "-p", join("src", "dashboard", "page", "tsconfig.json")]);
check("build", ["node", join(root, "scripts", "build.ts")]);
const results = join(tmpdir(), `breakwater-tests-${process.pid}.json`);
check("tests", ["vitest", "run", "--reporter=default", "--reporter=json", `--outputFile.json=${results}`]);
check("package", ["publint", "--strict"], ["attw", "--pack", ".", "--profile", "esm-only"]);
check("unused code", ["knip"]);

process.stdout.write("\n");
for (const { name, failures } of failedTests(results)) process.stdout.write(`${name}\n${failures}\n\n`);
for (const { name, ok, seconds } of checks) {
  process.stdout.write(`${ok ? "passed" : "FAILED"}  ${name.padEnd(12)} ${seconds.toFixed(1).padStart(6)} s\n`);
}
process.exit(checks.every(({ ok }) => ok) ? 0 : 1);
