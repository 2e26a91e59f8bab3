import { randomBytes } from "node:crypto";
import { statSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { ByteStore } from "../../src/core/index.ts";
import { sqlite } from "../../src/stores/sqlite/index.ts";
import type { VirtualClock } from "../../src/testing/virtual-clock.ts";
import { virtualRuntime } from "../support/calls.ts";
import { openBytes, temporaryFolder } from "./support.ts";

const LONG_MS = 3_600_000;
const SHORT_MS = 10_000;
const folder = temporaryFolder();

async function fill(store: ByteStore, name: string, count: number, ttlMs: number): Promise<void> {
  const writes: Promise<void>[] = [];
  for (let index = 0; index < count; index++) {
    writes.push(store.set(`${name}${index}`, randomBytes(500 + ((index * 7919) % 4000)), ttlMs));
  }
  await Promise.all(writes);
}

async function idle(clock: VirtualClock, seconds: number): Promise<void> {
  for (let second = 0; second < seconds; second++) await clock.advance(1000);
}

function open(name: string) {
  const path = join(folder, `${name}.db`);
  const { clock, runtime } = virtualRuntime();
  return { path, clock, store: openBytes(sqlite({ path }), runtime) };
}

describe("a sqlite tier that nobody uses", () => {
  it("gives the room of what has expired back to the disk", async () => {
    const { path, clock, store } = open("expired");
    await fill(store, "short", 2000, SHORT_MS);
    await fill(store, "long", 1000, LONG_MS);
    await idle(clock, 60);
    expect(await store.stats?.()).toMatchObject({ entries: 1000 });
    await store.close?.();
    const { path: freshPath, store: fresh } = open("never held anything else");
    await fill(fresh, "long", 1000, LONG_MS);
    await fresh.close?.();
    expect(statSync(path).size).toBeLessThan(statSync(freshPath).size * 1.2);
    const { store: again } = open("expired");
    for (let index = 0; index < 1000; index += 50) expect(await again.get(`long${index}`)).toBeDefined();
    await again.close?.();
  });

  it("gives the room of what was cleared back, and keeps what came after", async () => {
    const { path, clock, store } = open("cleared");
    await fill(store, "old", 2000, LONG_MS);
    await store.clear();
    await fill(store, "new", 10, LONG_MS);
    await idle(clock, 60);
    expect(await store.get("new9")).toBeDefined();
    await store.close?.();
    expect(statSync(path).size).toBeLessThan(2 * 1024 ** 2);
  });

  it("has no timer when it is closed, and none before it was used", async () => {
    const { clock, store } = open("timers");
    expect(clock.pendingTimers).toBe(0);
    const watch = store.marks?.watch?.(() => {});
    await store.set("k", randomBytes(10), LONG_MS);
    expect(clock.pendingTimers).toBe(2);
    watch?.stop();
    expect(clock.pendingTimers).toBe(1);
    await store.close?.();
    expect(clock.pendingTimers).toBe(0);
  });
});
