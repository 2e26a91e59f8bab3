import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, it } from "vitest";
import type { ByteStore, EntryStore, Runtime, Store } from "../../src/core/index.ts";
import { type ByteStoreFeatures, byteStoreConformance, type StoreHarness } from "../../src/stores/conformance/index.ts";
import type { Tier } from "../../src/stores/index.ts";

export function openBytes(tier: Tier, runtime: Runtime): ByteStore {
  return expecting(tier.open(runtime), "bytes");
}

export function openEntries(tier: Tier, runtime: Runtime): EntryStore {
  return expecting(tier.open(runtime), "entries");
}

function expecting<H extends Store["holds"]>(store: Store, holds: H): Extract<Store, { holds: H }> {
  if (store.holds === holds) return store as Extract<Store, { holds: H }>;
  throw new Error(`This store holds ${store.holds}.`);
}

/** A folder of the test file's own, gone when its tests are over. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "breakwater-stores-"));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

export function passing(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

export const NOTHING_MORE: ByteStoreFeatures = { marks: false, leases: false, watch: false };
export const EVERYTHING: ByteStoreFeatures = { marks: true, leases: true, watch: true };

export async function generations(store: ByteStore, tags: readonly string[]): Promise<readonly number[]> {
  if (store.marks === undefined) throw new Error("This store has no marks.");
  return (await store.marks.marks(tags)).generations;
}

/** Registers the shared cases for a store that lives in real time. */
export function itConforms(harness: Pick<StoreHarness<ByteStore>, "open" | "shared"> & ByteStoreFeatures): void {
  for (const { name, run } of byteStoreConformance({ ...harness, wait: passing, now: Date.now })) it(name, run);
}

/** Waits until `holds` does, and fails after `ms`. */
export async function until(holds: () => Promise<boolean> | boolean, ms = 10_000): Promise<void> {
  const giveUpAt = Date.now() + ms;
  while (!(await holds())) {
    if (Date.now() > giveUpAt) throw new Error("It did not come true in time.");
    await passing(10);
  }
}
