/**
 * The sqlite tier for values of 3 KB, beside Keyv's adapter (test/native) and a bare prepared statement; and how long one
 * turn of the event loop takes while it writes.
 */
import { hash, randomBytes } from "node:crypto";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { Keyv } from "keyv";
import { createRuntime } from "../../src/core/index.ts";
import { type SqliteOptions, sqlite } from "../../src/stores/sqlite/index.ts";
import { median } from "../measure.ts";

const TTL_MS = 3_600_000;
const KEYS = 5000;
const ROUNDS = 3;
const AT_ONCE = 100;
const LOAD_MS = 4000;
const SETS_A_TICK = 10;
const TICK_MS = 10;
const keys = Array.from({ length: KEYS }, (_, index) => hash("sha256", String(index), "base64url"));
const value = randomBytes(3072);
const folder = mkdtempSync(join(tmpdir(), "breakwater-bench-"));

interface Subject {
  readonly name: string;
  readonly sets: number;
  set(key: string): unknown;
  get(key: string): unknown;
  close(): unknown;
}

function tier(name: string, options: Partial<SqliteOptions> = {}): Subject {
  const store = sqlite({ path: join(folder, `${name}.db`), ...options }).open(createRuntime());
  if (store.holds !== "bytes") throw new Error("A sqlite tier holds bytes.");
  return {
    name,
    sets: 10_000,
    set: (key) => store.set(key, value, TTL_MS),
    get: (key) => store.get(key),
    close: () => store.close?.(),
  };
}

function bare(): Subject {
  const database = new DatabaseSync(join(folder, "bare.db"));
  database.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;
    CREATE TABLE entries (k TEXT PRIMARY KEY, v BLOB NOT NULL)`);
  const [put, find] = [
    database.prepare("INSERT OR REPLACE INTO entries VALUES (?, ?)"),
    database.prepare("SELECT v FROM entries WHERE k = ?"),
  ];
  return {
    name: "node:sqlite, one statement each",
    sets: 3000,
    set: (key) => put.run(key, value),
    get: (key) => find.get(key),
    close: () => database.close(),
  };
}

const native = createRequire(resolve(import.meta.dirname, "../../test/native/package.json"));

async function keyvSqlite(): Promise<Subject> {
  const { KeyvSqlite } = await import(native.resolve("@keyv/sqlite"));
  const keyv = new Keyv(new KeyvSqlite(`sqlite://${join(folder, "keyv.db")}`));
  const text = value.toString("base64").slice(0, value.byteLength);
  return {
    name: "Keyv over @keyv/sqlite, text",
    sets: 200,
    set: (key) => keyv.set(key, text, TTL_MS),
    get: (key) => keyv.get(key),
    close: () => keyv.disconnect(),
  };
}

async function perSecond(count: number, atOnce: number, run: (key: string) => unknown): Promise<number> {
  const rounds: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const startedAt = performance.now();
    for (let done = 0; done < count; done += atOnce) {
      await Promise.all(
        Array.from({ length: atOnce }, (_, index) => run(keys[((done + index) * 7919) % KEYS] as string)),
      );
    }
    rounds.push((count / (performance.now() - startedAt)) * 1000);
  }
  return median(rounds);
}

/** Longest turn of the event loop, in milliseconds, of each 10 ms in which 10 values are set. */
async function longestTurns({ set }: Subject): Promise<number[]> {
  const longest: number[] = [];
  let turn = 0;
  let endedAt = performance.now();
  let watching = true;
  const watch = (): void => {
    const now = performance.now();
    turn = Math.max(turn, now - endedAt);
    endedAt = now;
    if (watching) setImmediate(watch);
  };
  watch();
  for (let tick = 0; tick < LOAD_MS / TICK_MS; tick++) {
    turn = 0;
    for (let index = 0; index < SETS_A_TICK; index++) void set(keys[(tick * SETS_A_TICK + index) % KEYS] as string);
    await new Promise((done) => setTimeout(done, TICK_MS));
    longest.push(turn);
  }
  watching = false;
  return longest.sort((a, b) => a - b);
}

const subjects = [tier("sqlite()"), tier("sqlite(), durable", { durable: true }), bare()];
if (existsSync(resolve(import.meta.dirname, "../../test/native/node_modules/better-sqlite3"))) {
  subjects.push(tier("sqlite(), better-sqlite3", { driver: native("better-sqlite3") }));
  subjects.push(await keyvSqlite());
}
const titles = [`set x${AT_ONCE}/s`, "set/s", "get/s", `get x${AT_ONCE}/s`, "turn p50", "turn p99"];
console.log(`${"".padEnd(34)}${titles.map((title) => title.padStart(12)).join("")}`);
for (const subject of subjects) {
  const figures = [
    await perSecond(subject.sets, AT_ONCE, subject.set),
    await perSecond(Math.min(subject.sets, 2000), 1, subject.set),
    await perSecond(subject.sets * 3, 1, subject.get),
    await perSecond(subject.sets * 3, AT_ONCE, subject.get),
  ].map((figure) => Math.round(figure).toLocaleString("en"));
  const turns = await longestTurns(subject);
  figures.push(...[0.5, 0.99].map((share) => `${turns[Math.floor(turns.length * share)]?.toFixed(2)} ms`));
  console.log(`${subject.name.padEnd(34)}${figures.map((figure) => figure.padStart(12)).join("")}`);
  await subject.close();
}
rmSync(folder, { recursive: true });
