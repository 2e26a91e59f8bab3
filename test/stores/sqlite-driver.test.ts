import { randomBytes } from "node:crypto";
import { existsSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { describe, expect, it } from "vitest";
import { createRuntime } from "../../src/core/index.ts";
import { type SqliteDriver, sqlite } from "../../src/stores/sqlite/index.ts";
import { bytesOf } from "./entries.ts";
import { EVERYTHING, itConforms, openBytes, passing, temporaryFolder } from "./support.ts";

const NATIVE = resolve(import.meta.dirname, "../native");
const LONG_MS = 60_000;

describe("the sqlite tier over better-sqlite3", () => {
  if (!existsSync(join(NATIVE, "node_modules", "better-sqlite3"))) {
    it("has what it needs", () => {
      expect.fail('better-sqlite3 is not installed for the tests: run "npm ci" in test/native.');
    });
    return;
  }
  const driver = createRequire(join(NATIVE, "package.json"))("better-sqlite3") as SqliteDriver;
  const folder = temporaryFolder();
  const open = (space: string) => openBytes(sqlite({ path: join(folder, `${space}.db`), driver }), createRuntime());

  itConforms({ open, shared: true, ...EVERYTHING });

  it("reads what the other driver has written, and the other way round", async () => {
    const path = join(folder, "both.db");
    const [theirs, ours] = [open("both"), openBytes(sqlite({ path }), createRuntime())];
    await theirs.set("of theirs", bytesOf("v"), LONG_MS);
    await ours.set("of ours", bytesOf("w"), LONG_MS);
    expect(await ours.get("of theirs")).toEqual(bytesOf("v"));
    expect(Buffer.from("w").equals((await theirs.get("of ours")) ?? Buffer.of())).toBe(true);
    await Promise.all([theirs.close?.(), ours.close?.()]);
  });

  it.each([
    ["of random bytes", (path: string) => writeFileSync(path, randomBytes(50_000))],
    ["that was cut off", (path: string) => truncateSync(path, Math.floor(readFileSync(path).byteLength * 0.4))],
  ])("begins a damaged file %s anew", async (what, harm) => {
    const store = open(what);
    for (let index = 0; index < 50; index++) await store.set(`k${index}`, randomBytes(3000), LONG_MS);
    await store.close?.();
    harm(join(folder, `${what}.db`));
    const again = open(what);
    for (let index = 0; index < 50; index++) await again.get(`k${index}`);
    await again.set("new", bytesOf("v"), LONG_MS);
    expect(await again.get("new")).toBeDefined();
    await again.close?.();
  });

  it("waits for the lock of another", async () => {
    const store = open("locked");
    await store.set("k", bytesOf("v"), LONG_MS);
    const other = new DatabaseSync(join(folder, "locked.db"));
    other.exec("BEGIN IMMEDIATE");
    const late = store.set("k", bytesOf("late"), LONG_MS);
    await passing(50);
    other.exec("COMMIT");
    other.close();
    await late;
    expect(Buffer.from("late").equals((await store.get("k")) ?? Buffer.of())).toBe(true);
    await store.close?.();
  });
});
