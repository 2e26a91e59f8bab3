import { strict as assert } from "node:assert";
import type { ByteStore, StoreMarks } from "../../core/index.ts";
import type { StoreCase } from "./harness.ts";

const LONG_MS = 60_000;
const TAGS = ["faq", "FAQ", "user:1", "user:*", "epoch", "sweep", "seq", "__proto__", "日本", "a b"] as const;
const PATTERNS = ["*/chat/*/*", "tenant 3/*/m%2F1/", "[a]?/_%/*", "日本/*", "\n", "0"] as const;
// Within the bound that every store keeps.
const SWEEPS = 1000;

function marksOf(store: ByteStore): StoreMarks {
  assert.ok(store.marks !== undefined, "the store has marks");
  return store.marks;
}

async function generations(store: ByteStore, tags: readonly string[]): Promise<readonly number[]> {
  return (await marksOf(store).marks(tags)).generations;
}

/** The store's patterns swept after `after`, which it must know all. */
async function patternsSince(store: ByteStore, after: number): Promise<readonly string[]> {
  const { sweeps, complete } = await marksOf(store).sweepsSince(after);
  assert.equal(complete, true, `every sweep since ${after} is known`);
  assert.deepEqual(
    sweeps.map(({ number }) => number),
    sweeps.map((_, index) => after + 1 + index),
    "sweeps are numbered one after another, oldest first",
  );
  return sweeps.map(({ pattern }) => pattern);
}

export const MARK_CASES: readonly StoreCase<ByteStore>[] = [
  {
    needs: "marks",
    name: "gives generation 0 for tags that were never invalidated, and no sweep",
    run: async (open) => {
      const store = await open();
      assert.deepEqual(await marksOf(store).marks(TAGS), { generations: TAGS.map(() => 0), sweep: 0 });
      assert.deepEqual(await marksOf(store).marks([]), { generations: [], sweep: 0 });
      assert.deepEqual(await marksOf(store).sweepsSince(0), { sweeps: [], complete: true });
    },
  },
  {
    needs: "marks",
    name: "adds one to the tags invalidated and to no other, and answers in order",
    run: async (open) => {
      const store = await open();
      await marksOf(store).invalidate(["faq"]);
      await marksOf(store).invalidate(["faq", "user:1", "faq"]);
      await marksOf(store).invalidate([]);
      assert.deepEqual(await generations(store, ["user:1", "faq", "FAQ", "user:*", "faq"]), [1, 2, 0, 0, 2]);
    },
  },
  {
    needs: "marks",
    name: "loses no invalidation and no sweep of many at once",
    run: async (open) => {
      const store = await open();
      const marks = marksOf(store);
      await Promise.all(
        Array.from({ length: 60 }, (_, index) => [marks.invalidate(["a", "b"]), marks.sweep(`p${index}`)]).flat(),
      );
      assert.deepEqual(await marks.marks(["a", "b"]), { generations: [60, 60], sweep: 60 });
      const patterns = await patternsSince(store, 0);
      assert.deepEqual([...patterns].sort(), Array.from({ length: 60 }, (_, index) => `p${index}`).sort());
    },
  },
  {
    needs: "marks",
    name: "reads a value and the marks together",
    run: async (open) => {
      const store = await open();
      const marks = marksOf(store);
      assert.deepEqual(await marks.read("k", ["faq"]), { bytes: undefined, marks: { generations: [0], sweep: 0 } });
      await store.set("k", Uint8Array.of(0xff, 0, 0x80), LONG_MS);
      await marks.invalidate(["faq"]);
      await marks.sweep("*");
      for (const tags of [["other", "faq"], []]) {
        const read = await marks.read("k", tags);
        assert.deepEqual([...(read.bytes ?? [])], [0xff, 0, 0x80]);
        assert.deepEqual(read.marks, { generations: tags.map((tag) => (tag === "faq" ? 1 : 0)), sweep: 1 });
      }
      await store.clear();
      assert.deepEqual(await marks.read("k", ["faq"]), { bytes: undefined, marks: { generations: [1], sweep: 1 } });
    },
  },
  {
    needs: "marks",
    name: "gives the patterns swept since a count, as they were given",
    run: async (open) => {
      const store = await open();
      for (const pattern of PATTERNS) await marksOf(store).sweep(pattern);
      for (let after = 0; after <= PATTERNS.length; after++) {
        assert.deepEqual(await patternsSince(store, after), PATTERNS.slice(after));
      }
    },
  },
  {
    needs: "marks",
    name: "does not say that it knows all sweeps since a count it never had",
    run: async (open) => {
      const store = await open();
      await marksOf(store).sweep("*");
      assert.equal((await marksOf(store).sweepsSince(7)).complete, false);
    },
  },
  {
    needs: "marks",
    name: "forgets the oldest of very many sweeps, and says so",
    run: async (open) => {
      const store = await open();
      const marks = marksOf(store);
      for (let done = 0; done < SWEEPS + 5; done += 201) {
        await Promise.all(Array.from({ length: 201 }, () => marks.sweep("*")));
      }
      assert.deepEqual(await marks.marks([]), { generations: [], sweep: SWEEPS + 5 });
      assert.equal((await marks.sweepsSince(4)).complete, false);
      assert.equal((await patternsSince(store, 5)).length, SWEEPS);
    },
  },
  {
    needs: "marks",
    name: "remembers generations and sweeps through a clear",
    run: async (open) => {
      const store = await open();
      await marksOf(store).invalidate(["faq"]);
      await marksOf(store).sweep("*");
      await store.clear();
      assert.deepEqual(await marksOf(store).marks(["faq"]), { generations: [1], sweep: 1 });
      assert.deepEqual(await patternsSince(store, 0), ["*"]);
    },
  },
  {
    needs: "marks",
    name: "keeps the marks of spaces apart",
    run: async (open) => {
      const [here, there] = [await open(), await open("another")];
      await marksOf(here).invalidate(["faq"]);
      await marksOf(here).sweep("*");
      assert.deepEqual(await marksOf(there).marks(["faq"]), { generations: [0], sweep: 0 });
    },
  },
  {
    needs: "marks",
    name: "shares generations and sweeps with a store of the same space",
    shared: true,
    run: async (open) => {
      const [one, two] = [await open(), await open()];
      const both = [one, two].map(marksOf);
      await Promise.all(both.flatMap((marks) => Array.from({ length: 20 }, () => marks.invalidate(["faq"]))));
      await Promise.all(both.map((marks) => marks.sweep("*")));
      for (const store of [one, two]) {
        assert.deepEqual(await marksOf(store).read("k", ["faq"]), {
          bytes: undefined,
          marks: { generations: [40], sweep: 2 },
        });
        assert.deepEqual(await patternsSince(store, 0), ["*", "*"]);
      }
    },
  },
];
