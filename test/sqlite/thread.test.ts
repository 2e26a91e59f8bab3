import { execFile } from "node:child_process";
import { existsSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { isBusy, isDamaged, SqlError, SqliteThread } from "../../src/sqlite/index.ts";
import { temporaryFolder } from "../stores/support.ts";

const NATIVE = resolve(import.meta.dirname, "../native/node_modules");
const SRC = resolve(import.meta.dirname, "../../src");
const SETUP = "CREATE TABLE IF NOT EXISTS t (k TEXT UNIQUE, v REAL)";
const folder = temporaryFolder();

async function run(program: string, env: NodeJS.ProcessEnv = {}): Promise<string> {
  const child = promisify(execFile)(process.execPath, ["--input-type=module", "-e", program], {
    env: { ...process.env, ...env },
    timeout: 30_000,
  });
  return (await child).stdout;
}

describe("a database in a thread of its own", () => {
  it("reads what was written, in order", async () => {
    const thread = await SqliteThread.open(":memory:", SETUP);
    const insert = "INSERT INTO t VALUES (?, ?)";
    const written = thread.write([
      {
        sql: insert,
        runs: [
          ["a", 1],
          ["b", null],
        ],
      },
      { sql: "DELETE FROM t WHERE k > ?", runs: [["z"], ["a"]] },
    ]);
    const rows = thread.read("SELECT * FROM t WHERE k = ?", ["a"]);
    expect(await written).toEqual([2, 1]);
    expect(await rows).toEqual([{ k: "a", v: 1 }]);
    await thread.close();
  });

  it("writes all of it or nothing, and goes on after an error", async () => {
    const thread = await SqliteThread.open(":memory:", SETUP);
    const insert = "INSERT INTO t VALUES (?, ?)";
    const failed = await thread
      .write([
        {
          sql: insert,
          runs: [
            ["a", 1],
            ["a", 2],
          ],
        },
      ])
      .catch((error: unknown) => error);
    expect(failed).toBeInstanceOf(SqlError);
    expect(failed).toMatchObject({ errcode: 2067, message: expect.stringContaining("UNIQUE") });
    expect(await thread.read("SELECT * FROM t")).toEqual([]);
    await expect(thread.exec("no SQL")).rejects.toThrow(SqlError);
    expect(await thread.write([{ sql: insert, runs: [["a", 3]] }])).toEqual([1]);
    await thread.close();
  });

  it("tells a damaged file, and one that another holds, by their codes", async () => {
    const damaged = join(folder, "damaged.db");
    writeFileSync(damaged, "No database. ".repeat(500));
    const error = await SqliteThread.open(damaged, SETUP).catch((reason: unknown) => reason);
    expect(isDamaged(error)).toBe(true);
    const path = join(folder, "held.db");
    const one = await SqliteThread.open(path, SETUP);
    const other = await SqliteThread.open(path, SETUP);
    await one.exec("BEGIN IMMEDIATE");
    const busy = await other.write([{ sql: "DELETE FROM t", runs: [[]] }]).catch((reason: unknown) => reason);
    expect(isBusy(busy)).toBe(true);
    expect(isDamaged(busy)).toBe(false);
    await Promise.all([one.close(), other.close()]);
  });

  it("rejects what is asked after its end", async () => {
    const thread = await SqliteThread.open(":memory:", SETUP);
    expect(thread.isAlive).toBe(true);
    await thread.close();
    expect(thread.isAlive).toBe(false);
    await expect(thread.read("SELECT 1")).rejects.toMatchObject({ code: "STORE_FAILED" });
  });

  it("keeps the process alive while something is under way, and no longer", async () => {
    const program = `
      import { SqliteThread } from "${SRC}/sqlite/index.ts";
      const thread = await SqliteThread.open(":memory:", "");
      thread.read("SELECT 42 AS answer").then(([row]) => console.log(row.answer));`;
    expect(await run(program)).toBe("42\n");
  });

  it.runIf(existsSync(join(NATIVE, "better-sqlite3")))("is one of better-sqlite3 where Node.js has none", async () => {
    const program = `
      process.getBuiltinModule = () => undefined;
      const { SqliteThread } = await import("${SRC}/sqlite/index.ts");
      const thread = await SqliteThread.open(":memory:", ${JSON.stringify(SETUP)});
      await thread.exec("PRAGMA incremental_vacuum(8); PRAGMA wal_checkpoint(PASSIVE)");
      const changes = await thread.write([{ sql: "INSERT INTO t VALUES (?, ?)", runs: [["a", 1], ["b", null]] }]);
      const rows = await thread.read("SELECT * FROM t");
      const [codes] = await Promise.allSettled([thread.write([{ sql: "INSERT INTO t VALUES ('a', 1)", runs: [[]] }])]);
      console.log(JSON.stringify({ changes, rows, code: codes.reason.code }));`;
    expect(JSON.parse(await run(program, { NODE_PATH: NATIVE }))).toEqual({
      changes: [2],
      rows: [
        { k: "a", v: 1 },
        { k: "b", v: null },
      ],
      code: "SQLITE_CONSTRAINT_UNIQUE",
    });
  });
});
