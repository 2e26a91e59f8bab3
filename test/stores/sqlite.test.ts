import { execFile, fork } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import {
  type ByteStore,
  createRuntime,
  type MarksChange,
  OptionError,
  type Runtime,
  seededRandom,
} from "../../src/core/index.ts";
import { type SqliteOptions, StoreError, sqlite } from "../../src/stores/index.ts";
import { virtualRuntime } from "../support/calls.ts";
import { bytesOf } from "./entries.ts";
import { EVERYTHING, generations, itConforms, openBytes, passing, temporaryFolder, until } from "./support.ts";

const LONG_MS = 3_600_000;
const CHILD = join(import.meta.dirname, "sqlite-child.ts");
const folder = temporaryFolder();
const run = promisify(execFile);

let files = 0;

function newPath(): string {
  return join(folder, `${++files}`, "cache.db");
}

function open(path: string, options: Partial<SqliteOptions> = {}, runtime: Runtime = createRuntime()): ByteStore {
  return openBytes(sqlite({ path, ...options }), runtime);
}

/** A closed file with `count` values in it, and the values. */
async function filled(path: string, count: number): Promise<Map<string, Uint8Array>> {
  const values = new Map<string, Uint8Array>();
  const store = open(path);
  for (let index = 0; index < count; index++) values.set(`key${index}`, randomBytes(500 + index * 20));
  await Promise.all([...values].map(([key, value]) => store.set(key, value, LONG_MS)));
  await store.marks?.invalidate(["faq"]);
  await store.close?.();
  return values;
}

function rebuilds(runtime: Runtime): string[] {
  const quarantined: string[] = [];
  runtime.events.on("cache.tier_rebuilt", (event) => quarantined.push(event.quarantined));
  return quarantined;
}

async function expectUsable(store: ByteStore): Promise<void> {
  await store.set("new", bytesOf("value"), LONG_MS);
  expect(await store.get("new")).toEqual(bytesOf("value"));
  await store.marks?.invalidate(["tag"]);
}

describe("the sqlite tier in a file", () => {
  itConforms({ open: (space) => open(join(folder, space, "cache.db")), shared: true, ...EVERYTHING });
});

describe("the sqlite tier that waits for the disk", () => {
  it("shares values and marks with one that does not", async () => {
    const path = newPath();
    const [durable, other] = [open(path, { durable: true }), open(path)];
    await Promise.all([durable.set("k", bytesOf("v"), LONG_MS), durable.marks?.invalidate(["faq"])]);
    expect(await other.marks?.read("k", ["faq"])).toEqual({
      bytes: bytesOf("v"),
      marks: { generations: [1], sweep: 0 },
    });
    await other.clear();
    expect(await durable.get("k")).toBeUndefined();
    await Promise.all([durable.close?.(), other.close?.()]);
  });
});

describe("the sqlite tier in memory", () => {
  itConforms({ open: () => open(":memory:"), shared: false, ...EVERYTHING });
});

describe("a value of the sqlite tier", () => {
  it("is there for reads before it is on the disk, and on the disk once its set has resolved", async () => {
    const path = newPath();
    const [store, other] = [open(path), open(path)];
    const written = store.set("k", bytesOf("v"), LONG_MS);
    expect(await store.get("k")).toEqual(bytesOf("v"));
    expect(await other.get("k")).toBeUndefined();
    await written;
    expect(await other.get("k")).toEqual(bytesOf("v"));
    await Promise.all([store.close?.(), other.close?.()]);
  });

  it("is written by close, though nobody waited for it", async () => {
    const path = newPath();
    const store = open(path);
    const writes = Array.from({ length: 500 }, (_, index) => store.set(`k${index}`, bytesOf(`${index}`), LONG_MS));
    await store.close?.();
    await Promise.all(writes);
    const again = open(path);
    for (let index = 0; index < 500; index++) expect(await again.get(`k${index}`)).toEqual(bytesOf(`${index}`));
    await again.close?.();
  });

  it("is gone after a clear, though it still waited to be written", async () => {
    const path = newPath();
    const store = open(path);
    const [written, cleared] = [store.set("k", bytesOf("v"), LONG_MS), store.clear()];
    expect(await store.get("k")).toBeUndefined();
    await Promise.all([written, cleared]);
    await store.close?.();
    const again = open(path);
    expect(await again.get("k")).toBeUndefined();
    await again.close?.();
  });

  it("is not written after a clear that came while another process held the lock", async () => {
    const path = newPath();
    const store = open(path);
    await store.set("first", bytesOf("v"), LONG_MS);
    const other = new DatabaseSync(path);
    other.exec("BEGIN IMMEDIATE");
    const written = store.set("k", bytesOf("v"), LONG_MS);
    await passing(30);
    const cleared = store.clear();
    other.exec("COMMIT");
    other.close();
    await Promise.all([written, cleared]);
    expect(await store.get("k")).toBeUndefined();
    expect(await store.get("first")).toBeUndefined();
    await store.close?.();
  });

  it("is refused while too many wait, and nothing that was taken is lost", async () => {
    const store = open(newPath());
    const outcomes = await Promise.allSettled(
      Array.from({ length: 5000 }, (_, index) => store.set(`k${index}`, bytesOf("v"), LONG_MS)),
    );
    expect(outcomes.filter(({ status }) => status === "fulfilled")).toHaveLength(4096);
    expect(await store.stats?.()).toMatchObject({ entries: 4096 });
    await store.close?.();
  });

  it("expires by the clock of the runtime, and then gives its room back", async () => {
    const { clock, runtime } = virtualRuntime();
    const store = open(":memory:", {}, runtime);
    for (let index = 0; index < 100; index++) await store.set(`k${index}`, new Uint8Array(10_000), 1000);
    const full = (await store.stats?.())?.bytes ?? 0;
    await clock.advance(1000);
    expect(await store.get("k1")).toBeUndefined();
    for (let index = 0; index < 3; index++) await store.set("other", bytesOf("v"), LONG_MS);
    expect((await store.stats?.())?.bytes).toBeLessThan(full / 5);
    await store.close?.();
  });

  it("is kept for longer than any date can tell, and the file is sound", async () => {
    const { runtime } = virtualRuntime();
    const quarantined = rebuilds(runtime);
    const store = open(newPath(), {}, runtime);
    for (const ttlMs of [Number.MAX_SAFE_INTEGER, 2 * Number.MAX_SAFE_INTEGER]) {
      await store.set("k", bytesOf("v"), ttlMs);
      expect(await store.get("k")).toEqual(bytesOf("v"));
    }
    expect(quarantined).toEqual([]);
    await store.close?.();
  });

  it("is not kept when it is larger than an eighth of the bound, and neither is what it replaces", async () => {
    const store = open(":memory:", { maxBytes: "1mb" });
    await store.set("k", bytesOf("small"), LONG_MS);
    await store.set("k", new Uint8Array(200_000), LONG_MS);
    expect(await store.get("k")).toBeUndefined();
    await store.close?.();
  });
});

describe("the bound of the sqlite tier", () => {
  it("holds for the file, by letting the oldest go, and says so", async () => {
    const path = newPath();
    const runtime = createRuntime();
    let evicted = 0;
    runtime.events.on("cache.evicted", ({ tier, entries }) => {
      expect(tier).toBe("sqlite");
      evicted += entries;
    });
    const store = open(path, { maxBytes: "4mb" }, runtime);
    for (let index = 0; index < 3000; index++) await store.set(`k${index}`, new Uint8Array(5000), LONG_MS);
    expect(await store.get("k0")).toBeUndefined();
    expect(await store.get("k2999")).toBeDefined();
    const { entries = 0, bytes = 0 } = (await store.stats?.()) ?? {};
    expect(entries + evicted).toBe(3000);
    expect(bytes).toBeLessThanOrEqual(4 * 1024 ** 2);
    expect(bytes).toBeGreaterThan(2 * 1024 ** 2);
    await store.close?.();
    expect(readFileSync(path).byteLength).toBeLessThanOrEqual(4 * 1024 ** 2);
  });

  it("brings down a file that was made under a larger one", async () => {
    const path = newPath();
    const large = open(path);
    await Promise.all(
      Array.from({ length: 1000 }, (_, index) => large.set(`k${index}`, new Uint8Array(5000), LONG_MS)),
    );
    await large.close?.();
    const small = open(path, { maxBytes: "2mb" });
    for (let index = 0; index < 10; index++) await small.set(`new${index}`, bytesOf("v"), LONG_MS);
    expect((await small.stats?.())?.bytes).toBeLessThanOrEqual(2 * 1024 ** 2);
    expect(await small.get("new9")).toBeDefined();
    await small.close?.();
  });
});

describe("a damaged file", () => {
  it("of random bytes is put aside and begun anew, and an event says so", async () => {
    const path = newPath();
    await filled(path, 3);
    const garbage = randomBytes(100_000);
    writeFileSync(path, garbage);
    const runtime = createRuntime();
    const quarantined = rebuilds(runtime);
    const store = open(path, {}, runtime);
    expect(await store.get("key1")).toBeUndefined();
    await expectUsable(store);
    await store.close?.();
    expect(quarantined).toHaveLength(1);
    expect(readFileSync(quarantined[0] as string)).toEqual(garbage);
  });

  it("is kept once, however often it happens", async () => {
    const path = newPath();
    for (let round = 0; round < 3; round++) {
      await filled(path, 3);
      writeFileSync(path, randomBytes(50_000));
      const store = open(path);
      await expectUsable(store);
      await store.close?.();
    }
    expect(readdirSync(join(path, "..")).filter((name) => /corrupt-\d+$/.test(name))).toHaveLength(1);
  });

  it("that was cut off gives right values or none, and works", async () => {
    for (const share of [0, 0.001, 0.3, 0.7, 0.99]) {
      const path = newPath();
      const values = await filled(path, 60);
      truncateSync(path, Math.floor(readFileSync(path).byteLength * share));
      const store = open(path);
      for (const [key, value] of values) {
        const found = await store.get(key);
        if (found !== undefined) expect(Buffer.from(value).equals(found)).toBe(true);
      }
      await expectUsable(store);
      await store.close?.();
    }
  });

  it("with a bit turned over gives right values or none, and works: 50 positions", async () => {
    const original = newPath();
    const values = await filled(original, 60);
    const sound = readFileSync(original);
    const random = seededRandom(7);
    // The head of the file and of its first pages hold the structure; the rest is spread over everything.
    const positions = Array.from({ length: 50 }, (_, index) =>
      index < 15 ? Math.floor(random() * 200) : Math.floor(random() * sound.byteLength),
    );
    let found = 0;
    for (const position of positions) {
      const path = newPath();
      mkdirSync(join(path, ".."));
      const damaged = Buffer.from(sound);
      damaged.writeUInt8(damaged.readUInt8(position) ^ (1 << Math.floor(random() * 8)), position);
      writeFileSync(path, damaged);
      const store = open(path);
      for (const [key, value] of values) {
        const bytes = await store.get(key).catch((error: unknown) => expect(error).toBeInstanceOf(StoreError));
        if (!(bytes instanceof Uint8Array)) continue;
        found++;
        expect(Buffer.from(value).equals(bytes), `bit at ${position}`).toBe(true);
      }
      const [generation = 0] = (await generations(store, ["faq"]).catch(() => [0])) ?? [];
      expect(Number.isSafeInteger(generation)).toBe(true);
      await expectUsable(store);
      await store.close?.();
    }
    // A bit within a value takes that value and no other.
    expect(found).toBeGreaterThan(values.size * positions.length * 0.5);
  }, 60_000);

  it("is noticed while it is open, too", async () => {
    const path = newPath();
    const runtime = createRuntime();
    const quarantined = rebuilds(runtime);
    const store = open(path, {}, runtime);
    await Promise.all(Array.from({ length: 900 }, (_, index) => store.set(`k${index}`, randomBytes(20_000), LONG_MS)));
    const size = readFileSync(path).byteLength;
    writeFileSync(path, randomBytes(size), { flag: "r+" });
    for (let index = 0; index < 900; index += 50) await store.get(`k${index}`);
    await expectUsable(store);
    await store.close?.();
    expect(quarantined).toHaveLength(1);
  });

  it("does not make an invalidated tag valid again", async () => {
    const path = newPath();
    await filled(path, 3);
    const before = open(path);
    expect(await generations(before, ["faq"])).toEqual([1]);
    await before.close?.();
    writeFileSync(path, randomBytes(50_000));
    const after = open(path);
    const [first = 0] = (await generations(after, ["faq"])) ?? [];
    await after.marks?.invalidate(["faq"]);
    expect(first).toBeGreaterThan(1_000_000_000_000);
    expect(await generations(after, ["faq"])).toEqual([first + 1]);
    await after.close?.();
  });
});

describe("the marks of a file", () => {
  it("forget single tags when there are very many, and then all of them have changed", async () => {
    const path = newPath();
    const [store, other] = [open(path), open(path)];
    const told: MarksChange[] = [];
    const watch = other.marks?.watch?.((change) => told.push(change));
    await until(() => watch?.connected() === true);
    await store.marks?.invalidate(["faq"]);
    await store.marks?.invalidate(["faq"]);
    const before = await generations(store, ["faq", "never"]);
    await store.marks?.invalidate(Array.from({ length: 100_001 }, (_, index) => `${index}`));
    const after = await generations(store, ["faq", "never"]);
    expect(after[0]).toBeGreaterThan(before[0] as number);
    expect(after[1]).toBeGreaterThan(before[0] as number);
    await until(() => told.some(({ kind }) => kind === "missed"));
    await Promise.all([store.close?.(), other.close?.()]);
  });

  it("are watched through the end of one file and the beginning of the next", async () => {
    const path = newPath();
    const store = open(path);
    const told: MarksChange[] = [];
    const watch = store.marks?.watch?.((change) => told.push(change));
    await until(() => watch?.connected() === true);
    rmSync(join(path, ".."), { recursive: true });
    await store.set("k", bytesOf("v"), LONG_MS);
    await until(() => told.length > 0);
    expect(told).toEqual([{ kind: "missed" }]);
    const other = open(path);
    await other.marks?.invalidate(["faq"]);
    await until(() => told.length > 1);
    expect(told[1]).toEqual({ kind: "tags", tags: ["faq"] });
    await Promise.all([store.close?.(), other.close?.()]);
  });
});

describe("a file that goes away", () => {
  it("is begun anew by the next write when it was deleted", async () => {
    const path = newPath();
    const store = open(path);
    await store.set("k", bytesOf("v"), LONG_MS);
    rmSync(join(path, ".."), { recursive: true });
    await store.set("new", bytesOf("w"), LONG_MS);
    expect(existsSync(path)).toBe(true);
    expect(await store.get("new")).toEqual(bytesOf("w"));
    expect(await store.get("k")).toBeUndefined();
    await store.close?.();
  });

  it("and was put aside by another process is not put aside again", async () => {
    const path = newPath();
    const runtime = createRuntime();
    const quarantined = rebuilds(runtime);
    const [one, two] = [open(path, {}, runtime), open(path, {}, runtime)];
    await one.set("k", randomBytes(20_000), LONG_MS);
    await two.get("k");
    writeFileSync(path, randomBytes(readFileSync(path).byteLength), { flag: "r+" });
    rmSync(`${path}-wal`);
    await expectUsable(one);
    await one.set("of one", bytesOf("v"), LONG_MS);
    await expectUsable(two);
    expect(await two.get("of one")).toEqual(bytesOf("v"));
    await Promise.all([one.close?.(), two.close?.()]);
    expect(quarantined.length).toBeLessThanOrEqual(1);
  });
});

describe("a file that cannot be opened", () => {
  it("makes every operation reject with a sentence that names it", async () => {
    const place = join(folder, "a file, not a folder");
    writeFileSync(place, "");
    const path = join(place, "cache.db");
    const store = open(path);
    for (const operation of [
      () => store.get("k"),
      () => store.set("k", bytesOf("v"), LONG_MS),
      () => store.delete("k"),
      () => store.clear(),
      () => store.marks?.marks(["faq"]),
      () => store.marks?.invalidate(["faq"]),
    ]) {
      const error = await Promise.resolve(operation()).catch((reason: unknown) => reason);
      expect(error).toBeInstanceOf(StoreError);
      expect(String(error)).toContain(path);
    }
    await store.close?.();
  });

  it("is tried again by the next operation", async () => {
    const path = newPath();
    writeFileSync(join(path, ".."), "in the way");
    const store = open(path);
    await expect(store.get("k")).rejects.toThrow(StoreError);
    rmSync(join(path, ".."));
    await expectUsable(store);
    await store.close?.();
  });

  // Rights would not do for this test: they do not bind the superuser.
  it("because a folder stands in its place is reported and neither crashed upon nor put aside", async () => {
    const path = newPath();
    mkdirSync(path, { recursive: true });
    const store = open(path);
    for (const work of [() => store.get("key1"), () => store.set("k", bytesOf("v"), LONG_MS)]) {
      await expect(work()).rejects.toMatchObject({
        name: "StoreError",
        message: expect.stringContaining(basename(path)),
      });
    }
    await store.close?.();
    expect(readdirSync(join(path, ".."))).toEqual([basename(path)]);
  });
});

describe("a file that another process writes to", () => {
  it("is waited for without holding up the event loop, and given up after the time limit", async () => {
    const path = newPath();
    const store = open(path, { busyTimeout: 150 });
    await store.set("k", bytesOf("v"), LONG_MS);
    const other = new DatabaseSync(path);
    other.exec("BEGIN IMMEDIATE");
    let turns = 0;
    const counting = setInterval(() => turns++, 5);
    await expect(store.set("k", bytesOf("w"), LONG_MS)).rejects.toThrow("database is locked");
    expect(turns).toBeGreaterThan(3);
    const late = store.set("k", bytesOf("late"), LONG_MS);
    expect(await store.get("k")).toEqual(bytesOf("late"));
    other.exec("COMMIT");
    other.close();
    await late;
    clearInterval(counting);
    await store.close?.();
  });

  it("takes every write of four processes", { timeout: 60_000 }, async () => {
    const path = newPath();
    const names = ["a", "b", "c", "d"];
    await Promise.all(names.map((name) => run(process.execPath, [CHILD, path, name, "200"])));
    const store = open(path);
    for (const name of names) {
      for (let index = 0; index < 200; index++) {
        expect(await store.get(`${name}${index}`)).toEqual(bytesOf(`${name}${index}`.repeat(100)));
      }
    }
    expect(await generations(store, ["faq"])).toEqual([80]);
    await store.close?.();
  });

  it("is sound after kill -9 during writes, five times over", { timeout: 60_000 }, async () => {
    const path = newPath();
    let seen = 0;
    const runtime = createRuntime();
    const quarantined = rebuilds(runtime);
    for (let round = 0; round < 5; round++) {
      const child = fork(CHILD, [path, `r${round}-`, "1000000"], { stdio: "ignore" });
      let confirmed = 0;
      child.on("message", (index) => {
        confirmed = index as number;
        if (confirmed > 200) child.kill("SIGKILL");
      });
      await once(child, "exit");
      const store = open(path, {}, runtime);
      for (let index = 0; index <= confirmed; index++) {
        const name = `r${round}-${index}`;
        expect(await store.get(name), name).toEqual(bytesOf(name.repeat(100)));
        seen++;
      }
      await expectUsable(store);
      await store.close?.();
    }
    expect(seen).toBeGreaterThan(1000);
    expect(quarantined).toEqual([]);
  });
});

describe("the options of the sqlite tier", () => {
  it("are checked when it is declared", () => {
    expect(() => sqlite({} as never)).toThrow(OptionError);
    expect(() => sqlite({ path: "x", maxBytes: "1kb" })).toThrow("sqlite.maxBytes");
    expect(() => sqlite({ path: "x", busyTimeout: -1 })).toThrow("sqlite.busyTimeout");
    expect(() => sqlite({ path: "x", wal: true } as never)).toThrow("sqlite.wal");
    expect(() => sqlite({ path: "x", durable: 1 as never })).toThrow("sqlite.durable");
    expect(() => sqlite({ path: "x", driver: "better-sqlite3" as never })).toThrow("sqlite.driver");
    expect(() => sqlite({ path: "x", ttl: 0 })).toThrow("sqlite.ttl");
    expect(sqlite({ path: "x", ttl: "1h" }).ttlMs).toBe(3_600_000);
  });
});
