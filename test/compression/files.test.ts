import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { brotli, compressFile, decompressFile, deflate, gzip, zstd } from "../../src/compression/index.ts";

const MEGABYTE = 1_048_576;
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "breakwater-files-"));
});

afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

const path = (name: string): string => join(folder, name);

function listeners(): number[] {
  return ["exit", "SIGINT", "SIGTERM", "SIGHUP"].map((event) => process.listenerCount(event));
}

describe("a file", () => {
  it.each([gzip(), deflate(), brotli({ level: "fast" }), zstd()])("comes back whole, by $name", async (compressor) => {
    const content = Buffer.concat([randomBytes(MEGABYTE), Buffer.alloc(MEGABYTE, "text ")]);
    writeFileSync(path("plain"), content);
    await compressFile(path("plain"), path("packed"), { compressor });
    expect(readFileSync(path("packed")).length).toBeLessThan(1.2 * MEGABYTE);
    await decompressFile(path("packed"), path("again"), { compressor, maxBytes: content.length });
    expect(readFileSync(path("again")).equals(content)).toBe(true);
    expect(readdirSync(folder)).toEqual(["again", "packed", "plain"]);
  });

  it("that is empty comes back empty", async () => {
    writeFileSync(path("plain"), "");
    await compressFile(path("plain"), path("packed"));
    await decompressFile(path("packed"), path("again"), { maxBytes: 0 });
    expect(readFileSync(path("again")).length).toBe(0);
  });

  it("is left as it was, and nothing beside it, when the work fails", async () => {
    writeFileSync(path("plain"), randomBytes(2 * MEGABYTE));
    await compressFile(path("plain"), path("packed"));
    writeFileSync(path("cut"), readFileSync(path("packed")).subarray(0, MEGABYTE));
    writeFileSync(path("target"), "what was there");
    const before = listeners();
    const failures = [
      decompressFile(path("packed"), path("target"), { maxBytes: MEGABYTE }),
      decompressFile(path("cut"), path("target"), { maxBytes: 9 * MEGABYTE }),
      decompressFile(path("nothing"), path("target"), { maxBytes: MEGABYTE }),
      compressFile(path("plain"), path("target"), { signal: AbortSignal.abort("enough") }),
    ];
    const reasons = (await Promise.allSettled(failures)).map((end) =>
      end.status === "rejected" ? end.reason : "done",
    );
    expect(reasons.map((reason) => reason.code ?? reason)).toEqual([
      "DECOMPRESSED_TOO_LARGE",
      "COMPRESSED_DAMAGED",
      "ENOENT",
      "enough",
    ]);
    mkdirSync(path("taken"));
    await expect(compressFile(path("plain"), path("taken"))).rejects.toMatchObject({ syscall: "rename" });
    expect(readFileSync(path("target"), "utf8")).toBe("what was there");
    expect(readdirSync(folder)).toEqual(["cut", "packed", "plain", "taken", "target"]);
    expect(listeners()).toEqual(before);
  });

  it("is left as it was when the work is aborted on its way", async () => {
    writeFileSync(path("plain"), randomBytes(16 * MEGABYTE));
    const abort = new AbortController();
    const work = compressFile(path("plain"), path("packed"), {
      compressor: gzip({ level: "maximum" }),
      signal: abort.signal,
    });
    await expect.poll(() => readdirSync(folder).length).toBe(2);
    abort.abort(new Error("enough"));
    await expect(work).rejects.toThrow("enough");
    expect(readdirSync(folder)).toEqual(["plain"]);
  });

  it.each(["SIGINT", "SIGTERM"] as const)("is left as it was when %s ends the process", async (signal) => {
    writeFileSync(path("plain"), randomBytes(32 * MEGABYTE));
    writeFileSync(path("packed"), "what was there");
    const child = spawn(process.execPath, [
      join(import.meta.dirname, "compress-child.ts"),
      path("plain"),
      path("packed"),
    ]);
    const ended = once(child, "exit");
    await expect.poll(() => readdirSync(folder).length, { timeout: 10_000 }).toBe(3);
    child.kill(signal);
    expect(await ended).toEqual([null, signal]);
    expect(readdirSync(folder)).toEqual(["packed", "plain"]);
    expect(readFileSync(path("packed"), "utf8")).toBe("what was there");
  });
});
