import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type RedisServer, startRedis } from "../support/redis-server.ts";
import { temporaryFolder } from "./support.ts";

const folder = temporaryFolder();
let server: RedisServer;
beforeAll(async () => {
  server = await startRedis();
});
afterAll(() => server.stop());

describe("stores that are closed", () => {
  it("leave no connection, no file, no thread and no timer behind, however much they were used", async () => {
    const room = (name: string): string => JSON.stringify(new URL(`../../src/${name}/index.ts`, import.meta.url).href);
    const program = `
      import { readdirSync, readlinkSync } from "node:fs";
      import { redis, sqlite } from ${room("stores")};
      import { createRuntime } from ${room("core")};
      const openFiles = () => process.platform !== "linux" ? [] : readdirSync("/proc/self/fd").flatMap((fd) => {
        try { return [readlinkSync("/proc/self/fd/" + fd)]; } catch { return []; }
      }).filter((name) => name.includes(".db"));
      const tiers = [
        redis({ url: ${JSON.stringify(server.url)} }),
        sqlite({ path: ${JSON.stringify(join(folder, "cache.db"))} }),
      ];
      const stores = tiers.map((tier) => tier.open(createRuntime()));
      for (const store of stores) {
        const { connected } = store.marks.watch(() => {});
        // Enough for SQLite to copy its log into the file.
        for (let index = 0; index < 1000; index++) await store.set("k" + index, new Uint8Array(20_000), 60_000);
        await store.leases.acquire("k", "me", 60_000);
        while (!connected()) await new Promise((resolve) => setTimeout(resolve, 10));
      }
      const before = openFiles().length;
      for (const store of stores) await store.close();
      const left = process.getActiveResourcesInfo().filter((kind) => !/Pipe|TTY|FileHandle|FSReq/.test(kind));
      console.log(JSON.stringify({ hadFiles: before > 0, files: openFiles(), left }));`;
    const { stdout } = await promisify(execFile)(process.execPath, ["--input-type=module", "-e", program], {
      timeout: 20_000,
    });
    const { hadFiles, ...after } = JSON.parse(stdout);
    expect(after).toEqual({ files: [], left: [] });
    expect(hadFiles).toBe(process.platform === "linux");
  });
});
