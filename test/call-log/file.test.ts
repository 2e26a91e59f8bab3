import { fork } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readdirSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { type CallLog, type CallLogOptions, callLog } from "../../src/call-log/index.ts";
import { type BreakwaterEvent, OptionError, StoreError } from "../../src/index.ts";
import { temporaryFolder, until } from "../stores/support.ts";
import { smallDisk } from "../support/small-disk.ts";
import { rigged, tellOfCall } from "./support.ts";

const folder = temporaryFolder();
const disk = smallDisk(3);
afterAll(() => disk?.close());

const models = async (log: CallLog): Promise<(string | null)[]> =>
  (await log.query({ sort: "startedAt", perPage: 1_000 })).rows.map(({ model }) => model);

function dropsOf(rig: ReturnType<typeof rigged>): BreakwaterEvent<"calllog.dropped">[] {
  const drops: BreakwaterEvent<"calllog.dropped">[] = [];
  rig.optimizer.on("calllog.dropped", (drop) => drops.push(drop));
  return drops;
}

describe("the bounds of a log", () => {
  it("keep the newest rows", async () => {
    const { clock, optimizer } = rigged();
    await using log = callLog(optimizer, { path: ":memory:", maxRows: 100 });
    for (let n = 0; n < 1_000; n++) {
      tellOfCall(optimizer, { model: `m${n}` });
      await clock.advance(1);
      if (n % 150 === 0) await log.flush();
    }
    expect(await models(log)).toEqual(Array.from({ length: 100 }, (_, n) => `m${900 + n}`));
    await optimizer.close();
  });

  it("take out what is too old, also while nothing is written", async () => {
    const { clock, optimizer } = rigged();
    await using log = callLog(optimizer, { path: ":memory:", maxAge: "1h" });
    for (let n = 0; n < 3_000; n++) tellOfCall(optimizer, { model: "old" });
    await log.flush();
    await clock.advance(30 * 60_000);
    tellOfCall(optimizer, { model: "young" });
    await log.flush();
    await clock.advance(31 * 60_000);
    await until(async () => {
      await clock.advance(1_000);
      return (await models(log)).length === 1;
    }, 30_000);
    expect(await models(log)).toEqual(["young"]);
    await optimizer.close();
  });

  it("take out what is too old, also behind rows of a time when the wall clock was ahead", async () => {
    const { clock, optimizer } = rigged();
    await using log = callLog(optimizer, { path: ":memory:", maxAge: "1h" });
    const aYear = 365 * 86_400_000;
    clock.shiftWall(aYear);
    for (let n = 0; n < 1_200; n++) tellOfCall(optimizer, { model: "ahead" });
    await log.flush();
    clock.shiftWall(-aYear);
    tellOfCall(optimizer, { model: "old" });
    await log.flush();
    await clock.advance(2 * 3_600_000);
    tellOfCall(optimizer, { model: "young" });
    await log.flush();
    const { rows } = await log.query({ model: ["old", "young"] });
    expect(rows.map(({ model }) => model)).toEqual(["young"]);
    await optimizer.close();
  });

  it("keep the file small, and give room back after a stricter bound", { timeout: 60_000 }, async () => {
    const { clock, optimizer } = rigged();
    const path = join(folder, "bounded.db");
    const log = callLog(optimizer, { path, maxBytes: "4mb" });
    for (let n = 0; n < 40_000; n++) {
      tellOfCall(optimizer, { model: `m${n}`, route: "r".repeat(200) });
      if (n % 4_000 === 0) await log.flush();
    }
    const kept = await log.query({ perPage: 1 });
    expect(kept.rows[0]?.model).toBe("m39999");
    expect(kept.total).toBeGreaterThan(5_000);
    await log.close();
    expect(statSync(path).size).toBeLessThan(5 * 1024 ** 2);
    await using stricter = callLog(optimizer, { path, maxRows: 1_000 });
    tellOfCall(optimizer, { model: "last" });
    await stricter.flush();
    await until(async () => {
      await clock.advance(60_000);
      return (await stricter.query()).total === 1_000 && statSync(path).size < 2.5 * 1024 ** 2;
    }, 30_000);
    await optimizer.close();
  });

  it("hold for what waits, too: the rest is dropped, counted and told at most once a second", async () => {
    const rig = rigged();
    const { clock, optimizer } = rig;
    const drops = dropsOf(rig);
    await using log = callLog(optimizer, { path: ":memory:", maxQueued: 50 });
    for (let n = 0; n < 80; n++) tellOfCall(optimizer);
    expect(log.stats()).toEqual({ written: 0, queued: 50, dropped: 30 });
    await clock.advance(2_000);
    await log.flush();
    expect(drops.map(({ rows, reason }) => [rows, reason])).toEqual([
      [1, "full"],
      [29, "full"],
    ]);
    expect((await log.query()).total).toBe(50);
    await optimizer.close();
  });
});

describe("rows that wait", () => {
  it("are written after a second, and at once when there are many", async () => {
    const { clock, optimizer } = rigged();
    await using log = callLog(optimizer, { path: ":memory:" });
    tellOfCall(optimizer);
    await clock.advance(999);
    expect(log.stats()).toMatchObject({ written: 0, queued: 1 });
    await clock.advance(1);
    await until(() => log.stats().written === 1, 30_000);
    for (let n = 0; n < 300; n++) tellOfCall(optimizer);
    await until(() => log.stats().written === 301, 30_000);
    await optimizer.close();
  });

  it("are written when the log is closed; then it takes and gives nothing more, and has no timer", async () => {
    const { clock, optimizer } = rigged({ monitor: false });
    const before = clock.pendingTimers;
    const path = join(folder, "closed.db");
    const log = callLog(optimizer, { path });
    tellOfCall(optimizer, { model: "kept" });
    await Promise.all([log.close(), log.close()]);
    tellOfCall(optimizer, { model: "late" });
    expect(log.stats()).toEqual({ written: 1, queued: 0, dropped: 0 });
    expect(clock.pendingTimers).toBe(before);
    await expect(log.query()).rejects.toThrow(StoreError);
    await expect(log.rows()[Symbol.asyncIterator]().next()).rejects.toThrow(StoreError);
    await using again = callLog(optimizer, { path });
    expect(await models(again)).toEqual(["kept"]);
    await optimizer.close();
  });
});

describe("a file in trouble", () => {
  it("that is damaged is set aside, told of, and begun anew", async () => {
    const { optimizer } = rigged();
    const rebuilt: string[] = [];
    optimizer.on("calllog.rebuilt", ({ quarantined }) => rebuilt.push(quarantined));
    const place = join(folder, "damaged");
    mkdirSync(place);
    const path = join(place, "calls.db");
    writeFileSync(path, "This is no database. ".repeat(1_000));
    await using log = callLog(optimizer, { path });
    tellOfCall(optimizer, { model: "first" });
    expect(await models(log)).toEqual(["first"]);
    expect(rebuilt).toHaveLength(1);
    expect(readdirSync(place).filter((name) => name.includes(".corrupt-"))).toHaveLength(1);
    await optimizer.close();
  });

  it("that is damaged while it is open gives way to a new one", async () => {
    const { optimizer } = rigged();
    const path = join(folder, "torn", "calls.db");
    const before = callLog(optimizer, { path });
    for (let n = 0; n < 5_000; n++) tellOfCall(optimizer, { model: "before" });
    await before.close();
    truncateSync(path, 20_000);
    await using log = callLog(optimizer, { path });
    tellOfCall(optimizer, { model: "after" });
    await log.flush();
    await log.flush();
    expect(await models(log)).toEqual(["after"]);
    await optimizer.close();
  });

  it("that was taken away is made again", async () => {
    const { optimizer } = rigged();
    const path = join(folder, "gone", "calls.db");
    await using log = callLog(optimizer, { path });
    tellOfCall(optimizer, { model: "lost" });
    await log.flush();
    for (const suffix of ["", "-wal", "-shm"]) rmSync(`${path}${suffix}`);
    tellOfCall(optimizer, { model: "kept" });
    expect(await models(log)).toEqual(["kept"]);
    await optimizer.close();
  });

  it("that cannot be made harms no call: rows are tried five times, then dropped and told of", async () => {
    const rig = rigged();
    const { optimizer } = rig;
    const drops = dropsOf(rig);
    const file = join(folder, "a file");
    writeFileSync(file, "");
    await using log = callLog(optimizer, { path: join(file, "calls.db") });
    expect(await optimizer.call({ model: "m", input: "hello" }, () => "hi")).toBe("hi");
    for (let flush = 0; flush < 4; flush++) await log.flush();
    expect(log.stats()).toEqual({ written: 0, queued: 1, dropped: 0 });
    await log.flush();
    expect(log.stats()).toEqual({ written: 0, queued: 0, dropped: 1 });
    expect(drops).toMatchObject([{ rows: 1, reason: "failed", error: expect.any(String) }]);
    await expect(log.query()).rejects.toThrow(StoreError);
    await optimizer.close();
  });

  it.skipIf(disk === undefined)("of a disk that is full takes rows again when there is room", async () => {
    const { optimizer } = rigged();
    const path = join(disk?.path ?? "", "log", "calls.db");
    await using log = callLog(optimizer, { path });
    tellOfCall(optimizer, { model: "first" });
    await log.flush();
    disk?.fill();
    for (let n = 0; n < 200; n++) tellOfCall(optimizer, { model: "x".repeat(250) });
    await log.flush();
    expect(log.stats()).toMatchObject({ written: 1, queued: 200 });
    expect(await optimizer.call({ model: "m", input: "hello" }, () => "hi")).toBe("hi");
    expect(await models(log)).toEqual(["first"]);
    disk?.empty();
    await log.flush();
    expect((await log.query()).total).toBe(202);
    await optimizer.close();
  });
});

describe("a process that is killed", () => {
  it("leaves a file with every row it had confirmed", { timeout: 60_000 }, async () => {
    const path = join(folder, "killed", "calls.db");
    const child = fork(join(import.meta.dirname, "kill-child.ts"), [path]);
    let confirmed = 0;
    child.on("message", (written) => {
      confirmed = Number(written);
      if (confirmed > 2_000) child.kill("SIGKILL");
    });
    await once(child, "exit");
    const { optimizer } = rigged();
    const rebuilt: unknown[] = [];
    optimizer.on("calllog.rebuilt", (event) => rebuilt.push(event));
    await using log = callLog(optimizer, { path });
    expect((await log.query()).total).toBeGreaterThanOrEqual(confirmed);
    expect(confirmed).toBeGreaterThan(2_000);
    tellOfCall(optimizer, { model: "after" });
    expect((await log.query({ model: "after" })).total).toBe(1);
    expect(rebuilt).toEqual([]);
    await optimizer.close();
  });
});

describe("two logs on one file", () => {
  it("keep the rows of both", async () => {
    const [one, other] = [rigged(), rigged()];
    const path = join(folder, "shared.db");
    await using first = callLog(one.optimizer, { path });
    await using second = callLog(other.optimizer, { path });
    for (let n = 0; n < 500; n++) {
      tellOfCall(one.optimizer, { model: "one" });
      tellOfCall(other.optimizer, { model: "other" });
    }
    await Promise.all([first.flush(), second.flush()]);
    expect((await first.query({ model: "one" })).total).toBe(500);
    expect((await first.query({ model: "other" })).total).toBe(500);
    for (const { optimizer } of [one, other]) await optimizer.close();
  });
});

describe("options of a log", () => {
  it("are refused where they are wrong", async () => {
    const { optimizer } = rigged();
    const wrong: [Partial<Record<keyof CallLogOptions | "rows", unknown>>, string][] = [
      [{ path: "" }, "callLog.path"],
      [{ maxRows: 0 }, "callLog.maxRows"],
      [{ maxBytes: "1kb" }, "callLog.maxBytes"],
      [{ maxAge: "soon" }, "callLog.maxAge"],
      [{ clients: "yes" }, "callLog.clients"],
      [{ fingerprints: 1 }, "callLog.fingerprints"],
      [{ flushEvery: 1 }, "callLog.flushEvery"],
      [{ maxQueued: 0 }, "callLog.maxQueued"],
      [{ rows: 5 }, "callLog.rows"],
    ];
    for (const [options, option] of wrong) {
      const open = () => callLog(optimizer, { path: ":memory:", ...options } as CallLogOptions);
      expect(open, option).toThrow(OptionError);
      expect(open).toThrow(option);
    }
    await optimizer.close();
  });
});
