import { fork } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { describe, expect, it } from "vitest";
import { createRuntime, seededRandom } from "../../src/core/index.ts";
import { sqlite } from "../../src/stores/index.ts";
import { VirtualClock } from "../../src/testing/virtual-clock.ts";
import { bytesOf } from "./entries.ts";
import { openBytes, temporaryFolder, until } from "./support.ts";

const LONG_MS = 3_600_000;
const CHILD = join(import.meta.dirname, "sqlite-load-child.ts");
const KILLS = 100;
const folder = temporaryFolder();

describe.each(["by default", "durable"])("a process that writes 5,000 values a second, %s", (mode) => {
  it(`loses nothing it has confirmed when it is killed, ${KILLS} times over`, async () => {
    const path = join(folder, `killed ${mode}`, "cache.db");
    const runtime = createRuntime();
    const quarantined: string[] = [];
    runtime.events.on("cache.tier_rebuilt", (event) => quarantined.push(event.quarantined));
    let confirmed = 0;
    for (let round = 0; round < KILLS; round++) {
      const child = fork(CHILD, [path, `r${round}-`, mode], { stdio: "ignore" });
      const batches: number[] = [];
      child.on("message", (first) => {
        batches.push(first as number);
        if (batches.length === 20 + (round % 60)) child.kill("SIGKILL");
      });
      await once(child, "exit");
      const store = openBytes(sqlite({ path }), runtime);
      for (const first of batches) {
        for (let index = first + 1; index < first + 25; index += 2) {
          const key = `r${round}-${index}`;
          expect(await store.get(key), key).toEqual(bytesOf(key.repeat(200)));
          confirmed++;
        }
      }
      await store.close?.();
    }
    expect(confirmed).toBeGreaterThan(KILLS * 200);
    expect(quarantined).toEqual([]);
    const database = new DatabaseSync(path);
    expect(database.prepare("PRAGMA integrity_check").get()).toEqual({ integrity_check: "ok" });
    const expired = database.prepare("SELECT count(*) AS rows FROM breakwater_entries_2 WHERE expires < ?");
    const store = openBytes(sqlite({ path }), runtime);
    await store.get("any");
    await until(() => (expired.get(Date.now()) as { rows: number }).rows === 0, 60_000);
    database.close();
    await store.close?.();
  });
});

describe("a sqlite file of 100,000 values", () => {
  it("opens at once, and is swept without holding anybody up when they have expired", async () => {
    const path = join(folder, "large.db");
    const clock = new VirtualClock();
    const store = openBytes(sqlite({ path }), createRuntime({ clock }));
    const value = randomBytes(2500);
    for (let done = 0; done < 100_000; done += 2000) {
      await Promise.all(Array.from({ length: 2000 }, (_, index) => store.set(`k${done + index}`, value, LONG_MS)));
    }
    await store.close?.();
    const size = statSync(path).size;
    const later = openBytes(sqlite({ path }), createRuntime({ clock }));
    const openedAt = performance.now();
    expect(await later.get("k99999")).toBeDefined();
    const openMs = performance.now() - openedAt;
    await clock.advance(2 * LONG_MS);
    const steps: number[] = [];
    for (let step = 0; step < 2000; step++) {
      const startedAt = performance.now();
      await clock.advance(20);
      steps.push(performance.now() - startedAt);
    }
    await later.close?.();
    steps.sort((a, b) => a - b);
    const stepMs = (share: number): string => (steps[Math.floor((steps.length - 1) * share)] ?? 0).toFixed(1);
    console.log(
      `opened in ${openMs.toFixed(0)} ms; swept in steps of ${stepMs(0.5)} ms, 99 of 100 under ${stepMs(0.99)} ms, at most ${stepMs(1)} ms`,
    );
    expect(statSync(path).size).toBeLessThan(size / 20);
  });
});

describe("a bit turned over in a sqlite file", () => {
  it("gives right values or none, and a store that works: 200 positions", async () => {
    const original = join(folder, "sound.db");
    const store = openBytes(sqlite({ path: original }), createRuntime());
    const values = new Map(Array.from({ length: 60 }, (_, index) => [`key${index}`, randomBytes(500 + index * 20)]));
    for (const [key, value] of values) await store.set(key, value, LONG_MS);
    await store.marks?.invalidate(["faq"]);
    await store.marks?.sweep("*");
    await store.close?.();
    const sound = readFileSync(original);
    const random = seededRandom(11);
    for (let round = 0; round < 200; round++) {
      const position = Math.floor(random() * (round % 4 === 0 ? 200 : sound.byteLength));
      const path = join(folder, `bit${round}`, "cache.db");
      mkdirSync(join(path, ".."));
      const damaged = Buffer.from(sound);
      damaged.writeUInt8(damaged.readUInt8(position) ^ (1 << Math.floor(random() * 8)), position);
      writeFileSync(path, damaged);
      const harmed = openBytes(sqlite({ path }), createRuntime());
      for (const [key, value] of values) {
        const found = await harmed.get(key);
        if (found !== undefined) expect(value.equals(found), `bit at ${position}`).toBe(true);
      }
      await harmed.marks?.sweepsSince(0);
      await harmed.set("new", bytesOf("value"), LONG_MS);
      expect(await harmed.get("new")).toEqual(bytesOf("value"));
      await harmed.marks?.invalidate(["tag"]);
      await harmed.close?.();
    }
  });
});
