import { execFile, fork } from "node:child_process";
import { once } from "node:events";
import { chmodSync, cpSync, existsSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, describe, expect, it } from "vitest";
import { createRuntime } from "../../src/core/index.ts";
import { StoreError } from "../../src/stores/index.ts";
import { sqlite } from "../../src/stores/sqlite/index.ts";
import { smallDisk } from "../support/small-disk.ts";
import { bytesOf } from "./entries.ts";
import { openBytes, temporaryFolder } from "./support.ts";

const LONG_MS = 60_000;
const folder = temporaryFolder();

const disk = smallDisk(3);
afterAll(() => disk?.close());

describe.skipIf(disk === undefined)("a sqlite tier on a disk that is full", () => {
  it("rejects writes, goes on reading, is not put aside, and writes again when there is room", async () => {
    const place = join(disk?.path ?? "", "cache");
    const path = join(place, "cache.db");
    const store = openBytes(sqlite({ path }), createRuntime());
    await store.set("first", bytesOf("v"), LONG_MS);
    disk?.fill();
    const refused = await store.set("k", new Uint8Array(100_000), LONG_MS).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(StoreError);
    expect(await store.get("first")).toEqual(bytesOf("v"));
    expect(await store.get("k")).toBeUndefined();
    disk?.empty();
    await store.set("k", new Uint8Array(100_000), LONG_MS);
    expect(await store.get("k")).toHaveLength(100_000);
    await store.close?.();
    expect(readdirSync(place).filter((name) => name.includes("corrupt"))).toEqual([]);
  });

  it("can be opened there, and works when there is room", async () => {
    const path = join(disk?.path ?? "", "late", "cache.db");
    disk?.fill();
    const store = openBytes(sqlite({ path }), createRuntime());
    await expect(store.set("k", bytesOf("v"), LONG_MS)).rejects.toThrow(StoreError);
    disk?.empty();
    await store.set("k", bytesOf("v"), LONG_MS);
    expect(await store.get("k")).toEqual(bytesOf("v"));
    await store.close?.();
  });
});

// Rights do not bind the superuser: the store runs as somebody else.
const NOBODY = 65_534;
const mayBecomeNobody = process.getuid?.() === 0;

describe("a sqlite tier in a folder that may only be read", () => {
  it.skipIf(!mayBecomeNobody)("rejects with a sentence and puts nothing aside", async () => {
    const place = join(folder, "read-only");
    const made = openBytes(sqlite({ path: join(place, "cache.db") }), createRuntime());
    await made.set("k", bytesOf("v"), LONG_MS);
    await made.close?.();
    const before = readdirSync(place);
    // The program must be readable for that user, too.
    const program = join(folder, "program");
    for (const room of ["stores", "sqlite", "core"])
      cpSync(join(import.meta.dirname, "../../src", room), join(program, room), { recursive: true });
    const needed = join("node_modules", "eventemitter3");
    cpSync(join(import.meta.dirname, "../..", needed), join(program, needed), { recursive: true });
    writeFileSync(join(program, "package.json"), '{ "type": "module" }');
    writeFileSync(
      join(program, "main.ts"),
      `import { createRuntime } from "./core/index.ts";
       import { sqlite } from "./stores/sqlite/index.ts";
       const store = sqlite({ path: process.argv[2] }).open(createRuntime());
       for (const work of [() => store.get("k"), () => store.set("k", new Uint8Array(1), 1000)]) {
         await work().then(() => process.send("done"), (error) => process.send(error.name));
       }
       await store.close();
       process.disconnect();`,
    );
    chmodSync(folder, 0o755);
    chmodSync(place, 0o555);
    const child = fork(join(program, "main.ts"), [join(place, "cache.db")], { uid: NOBODY, stdio: "ignore" });
    const told: unknown[] = [];
    child.on("message", (message) => told.push(message));
    const [code] = await once(child, "exit");
    chmodSync(place, 0o755);
    expect({ code, told }).toEqual({ code: 0, told: ["StoreError", "StoreError"] });
    expect(readdirSync(place).sort()).toEqual(before.sort());
    expect(existsSync(join(place, "cache.db"))).toBe(true);
  });
});

describe("a sqlite tier whose folder cannot be made", () => {
  // In a process of its own: making it might never end.
  it.skipIf(!existsSync("/proc/self"))("rejects, however the system says so", async () => {
    const room = join(import.meta.dirname, "../../src");
    const program = `
      import { createRuntime } from "${room}/core/index.ts";
      import { sqlite } from "${room}/stores/sqlite/index.ts";
      for (const path of ["/proc/none/cache.db", "/proc/version/cache.db"]) {
        const store = sqlite({ path }).open(createRuntime());
        await store.get("k").catch((error) => console.log(error.name));
        await store.close();
      }`;
    const child = promisify(execFile)(process.execPath, ["--input-type=module", "-e", program], { timeout: 10_000 });
    expect((await child).stdout).toBe("StoreError\nStoreError\n");
  });
});
