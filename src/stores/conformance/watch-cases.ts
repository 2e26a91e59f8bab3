import { strict as assert } from "node:assert";
import type { ByteStore, MarksChange } from "../../core/index.ts";
import type { StoreCase, StoreHarness } from "./harness.ts";

const STEP_MS = 20;
const PATIENCE_MS = 10_000;

/** What a watcher of `store` has been told, once it is connected. */
async function watching(store: ByteStore, harness: StoreHarness<ByteStore>) {
  const told: MarksChange[] = [];
  const watch = store.marks?.watch?.((change) => told.push(change));
  assert.ok(watch !== undefined, "the marks can be watched");
  await until(watch.connected, harness);
  return { ...watch, told };
}

async function until(holds: () => boolean, { wait }: StoreHarness<ByteStore>): Promise<void> {
  for (let waited = 0; waited < PATIENCE_MS && !holds(); waited += STEP_MS) await wait(STEP_MS);
  assert.ok(holds(), "it came true in time");
}

export const WATCH_CASES: readonly StoreCase<ByteStore>[] = [
  {
    needs: "watch",
    name: "tells of another's invalidations, sweeps and clears, and of nothing else",
    shared: true,
    run: async (open, harness) => {
      const [one, two] = [await open(), await open()];
      const watch = await watching(one, harness);
      await two.set("k", Uint8Array.of(1), 1000);
      await two.delete("k");
      await two.marks?.invalidate(["faq", "日本"]);
      await until(() => watch.told.length === 1, harness);
      await two.marks?.sweep("*/chat/*/");
      await until(() => watch.told.length === 2, harness);
      await two.clear();
      await until(() => watch.told.length === 3, harness);
      assert.deepEqual(watch.told, [
        { kind: "tags", tags: ["faq", "日本"] },
        { kind: "sweep", pattern: "*/chat/*/" },
        { kind: "clear" },
      ]);
      watch.stop();
    },
  },
  {
    needs: "watch",
    name: "does not tell a store of its own invalidations",
    shared: true,
    run: async (open, harness) => {
      const [one, two] = [await open(), await open()];
      const watch = await watching(one, harness);
      await one.marks?.invalidate(["own"]);
      await one.marks?.sweep("own");
      await one.clear();
      await two.marks?.invalidate(["other"]);
      await until(() => watch.told.length > 0, harness);
      assert.deepEqual(watch.told, [{ kind: "tags", tags: ["other"] }]);
      watch.stop();
    },
  },
  {
    needs: "watch",
    name: "tells nothing of another space, and nothing any more when it is stopped",
    shared: true,
    run: async (open, harness) => {
      const [one, two, elsewhere] = [await open(), await open(), await open("another")];
      const [stopped, watch] = [await watching(one, harness), await watching(one, harness)];
      stopped.stop();
      stopped.stop();
      await elsewhere.marks?.invalidate(["elsewhere"]);
      await two.marks?.invalidate(["faq"]);
      await until(() => watch.told.length > 0, harness);
      assert.deepEqual(watch.told, [{ kind: "tags", tags: ["faq"] }]);
      assert.deepEqual(stopped.told, []);
      watch.stop();
    },
  },
];
