import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { Keyv } from "keyv";
import { describe, expect, it } from "vitest";
import { createRuntime } from "../../src/core/index.ts";
import { keyv } from "../../src/stores/index.ts";
import { bytesOf } from "./entries.ts";
import { itConforms, NOTHING_MORE, openBytes, temporaryFolder } from "./support.ts";

// A native module that compiles for a minute: installed apart, so that nothing but these tests waits for it.
const NATIVE = resolve(import.meta.dirname, "../native");
const ADAPTER = join(NATIVE, "node_modules", "@keyv", "sqlite", "dist", "index.js");

describe("the keyv tier over @keyv/sqlite", async () => {
  if (!existsSync(ADAPTER)) {
    it("has what it needs", () => {
      expect.fail('@keyv/sqlite is not installed for the tests: run "npm ci" in test/native.');
    });
    return;
  }
  const { KeyvSqlite } = await import(ADAPTER);
  const folder = temporaryFolder();
  const open = (space: string) =>
    openBytes(keyv(new Keyv(new KeyvSqlite(`sqlite://${join(folder, `${space}.sqlite`)}`))), createRuntime());

  itConforms({ open, shared: true, ...NOTHING_MORE });

  it("is not wiped by a store whose name is a pattern of its own", async () => {
    const instance = new Keyv(new KeyvSqlite(`sqlite://${join(folder, "patterns.sqlite")}`));
    const [one, two] = ["team_1", "teamX1"].map((name) =>
      openBytes(keyv(instance, { keyPrefix: `${name}:` }), createRuntime()),
    );
    await two?.set("k", bytesOf("v"), 60_000);
    await one?.clear();
    expect(await two?.get("k")).toEqual(Buffer.from("v"));
  });
});
