import { strict as assert } from "node:assert";
import type { ByteStore } from "../../core/index.ts";
import type { StoreCase } from "./harness.ts";

const TAGS = ["faq", "FAQ", "user:1", "user:*", "epoch", "__proto__", "日本"] as const;

function generations(store: ByteStore, tags: readonly string[]): Promise<readonly number[]> {
  assert.ok(store.generations !== undefined, "the store has generations");
  return store.generations(tags);
}

function invalidate(store: ByteStore, tags: readonly string[]): Promise<void> {
  assert.ok(store.invalidate !== undefined, "the store can invalidate");
  return store.invalidate(tags);
}

export const TAG_CASES: readonly StoreCase<ByteStore>[] = [
  {
    tags: true,
    name: "gives generation 0 for tags that were never invalidated",
    run: async (open) => {
      const store = await open();
      assert.deepEqual(
        await generations(store, TAGS),
        TAGS.map(() => 0),
      );
      assert.deepEqual(await generations(store, []), []);
    },
  },
  {
    tags: true,
    name: "adds one to the tags invalidated and to no other, and answers in order",
    run: async (open) => {
      const store = await open();
      await invalidate(store, ["faq"]);
      await invalidate(store, ["faq", "user:1"]);
      await invalidate(store, []);
      assert.deepEqual(await generations(store, ["user:1", "faq", "FAQ", "user:*", "faq"]), [1, 2, 0, 0, 2]);
    },
  },
  {
    tags: true,
    name: "loses no invalidation of many at once",
    run: async (open) => {
      const store = await open();
      await Promise.all(Array.from({ length: 60 }, () => invalidate(store, ["a", "b"])));
      assert.deepEqual(await generations(store, ["a", "b"]), [60, 60]);
    },
  },
  {
    tags: true,
    name: "remembers generations through a clear",
    run: async (open) => {
      const store = await open();
      await invalidate(store, ["faq"]);
      await store.clear();
      assert.deepEqual(await generations(store, ["faq"]), [1]);
    },
  },
  {
    tags: true,
    name: "keeps the tags of spaces apart",
    run: async (open) => {
      const [here, there] = [await open(), await open("another")];
      await invalidate(here, ["faq"]);
      assert.deepEqual(await generations(there, ["faq"]), [0]);
    },
  },
  {
    tags: true,
    name: "shares generations with a store of the same space",
    shared: true,
    run: async (open) => {
      const [one, two] = [await open(), await open()];
      await Promise.all([one, two].flatMap((store) => Array.from({ length: 20 }, () => invalidate(store, ["faq"]))));
      assert.deepEqual(await generations(one, ["faq"]), [40]);
      assert.deepEqual(await generations(two, ["faq"]), [40]);
    },
  },
];
