import { strict as assert } from "node:assert";
import type { ByteStore } from "../../core/index.ts";
import type { StoreCase } from "./harness.ts";

const LONG_MS = 60_000;

function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

async function assertHolds(store: ByteStore, key: string, expected: Uint8Array | undefined): Promise<void> {
  const found = await store.get(key);
  if (expected === undefined) assert.equal(found, undefined, `${JSON.stringify(key)} is not there`);
  else {
    assert.ok(found instanceof Uint8Array, `${JSON.stringify(key)} is there, as bytes`);
    assert.ok(Buffer.from(expected).equals(found), `${JSON.stringify(key)} is what was set`);
  }
}

// Values that get lost where bytes are taken for text, or emptiness for absence.
const VALUES: readonly Uint8Array[] = [
  new Uint8Array(),
  Uint8Array.of(0),
  Uint8Array.of(0xff, 0x00, 0x80, 0x0a, 0x0d),
  Uint8Array.from({ length: 256 }, (_, byte) => byte),
  Uint8Array.from({ length: 100_003 }, (_, index) => (index * 31 + (index >> 8)) & 0xff),
  bytesOf("答案 \u{1f600} \u0000 ok"),
  // A view into a larger buffer.
  new Uint8Array(bytesOf("before|inside|after").buffer, 7, 6),
];

// Keys that get confused where they are patterns, prefixes, paths or numbers.
const KEYS: readonly string[] = [
  "a",
  "A",
  "a:b",
  "a*",
  "a?",
  "[a]",
  "a%",
  "a_",
  "aXb",
  "a/b",
  "a b",
  "tags",
  "generation",
  "1",
  "01",
  "__proto__",
  "constructor",
  "é",
  "Zk3vQ0b1vXkq3Jp8rT5yUoW2eD4fG6hI7jK9lM0nP1Q",
];

export const BYTE_CASES: readonly StoreCase<ByteStore>[] = [
  {
    name: "says bytes and has a name",
    run: async (open) => {
      const store = await open();
      assert.equal(store.holds, "bytes");
      assert.ok(store.name.length > 0);
    },
  },
  {
    name: "finds nothing under a key that was never set",
    run: async (open) => assertHolds(await open(), "absent", undefined),
  },
  {
    name: "gives back exactly the bytes it was given",
    run: async (open) => {
      const store = await open();
      for (const [index, value] of VALUES.entries()) await store.set(`value${index}`, value, LONG_MS);
      for (const [index, value] of VALUES.entries()) await assertHolds(store, `value${index}`, value);
    },
  },
  {
    name: "keeps every key apart from every other",
    run: async (open) => {
      const store = await open();
      for (const key of KEYS) await store.set(key, bytesOf(`value of ${key}`), LONG_MS);
      for (const key of KEYS) await assertHolds(store, key, bytesOf(`value of ${key}`));
      for (const key of KEYS) {
        await store.delete(key);
        await assertHolds(store, key, undefined);
      }
    },
  },
  {
    name: "keeps the last value set under a key",
    run: async (open) => {
      const store = await open();
      await store.set("k", bytesOf("first and longer"), LONG_MS);
      await store.set("k", bytesOf("second"), LONG_MS);
      await assertHolds(store, "k", bytesOf("second"));
    },
  },
  {
    name: "forgets a deleted key, and takes the deletion of an absent one calmly",
    run: async (open) => {
      const store = await open();
      await store.set("k", bytesOf("v"), LONG_MS);
      await store.set("other", bytesOf("w"), LONG_MS);
      await store.delete("k");
      await store.delete("k");
      await assertHolds(store, "k", undefined);
      await assertHolds(store, "other", bytesOf("w"));
      await store.set("k", bytesOf("again"), LONG_MS);
      await assertHolds(store, "k", bytesOf("again"));
    },
  },
  {
    name: "keeps a value for its time and no longer",
    run: async (open, { wait, now }) => {
      const store = await open();
      await store.set("long", bytesOf("w"), LONG_MS);
      const startedAt = now();
      await store.set("short", bytesOf("v"), 300);
      const found = await store.get("short");
      // On a machine that is busy elsewhere its time may be over already.
      if (now() - startedAt < 300) assert.ok(found !== undefined, "the value is there before its time is over");
      await wait(320);
      await assertHolds(store, "short", undefined);
      await assertHolds(store, "long", bytesOf("w"));
    },
  },
  {
    name: "counts the time of a value from its last set",
    run: async (open, { wait }) => {
      const store = await open();
      await store.set("extended", bytesOf("v"), 200);
      await store.set("extended", bytesOf("v"), LONG_MS);
      await store.set("shortened", bytesOf("v"), LONG_MS);
      await store.set("shortened", bytesOf("v"), 1);
      await wait(220);
      await assertHolds(store, "extended", bytesOf("v"));
      await assertHolds(store, "shortened", undefined);
    },
  },
  {
    name: "answers many operations at once",
    run: async (open) => {
      const store = await open();
      const keys = Array.from({ length: 300 }, (_, index) => `k${index}`);
      await Promise.all(keys.map((key) => store.set(key, bytesOf(key), LONG_MS)));
      await Promise.all(keys.map((key) => assertHolds(store, key, bytesOf(key))));
      await Promise.all(keys.filter((_, index) => index % 2 === 0).map((key) => store.delete(key)));
      await Promise.all(keys.map((key, index) => assertHolds(store, key, index % 2 === 0 ? undefined : bytesOf(key))));
    },
  },
  {
    name: "holds nothing after a clear, and takes new values",
    run: async (open) => {
      const store = await open();
      for (let round = 0; round < 3; round++) {
        for (const key of KEYS) await store.set(key, bytesOf(`${round}`), LONG_MS);
        await store.clear();
        for (const key of KEYS) await assertHolds(store, key, undefined);
        await store.set("new", bytesOf(`${round}`), LONG_MS);
        await assertHolds(store, "new", bytesOf(`${round}`));
      }
    },
  },
  {
    name: "clears what was set in the same breath",
    run: async (open) => {
      const store = await open();
      await store.set("warm", bytesOf("v"), LONG_MS);
      await Promise.all([store.set("k", bytesOf("v"), LONG_MS), store.clear()]);
      await assertHolds(store, "warm", undefined);
    },
  },
  {
    name: "never sees, deletes or clears what another space holds",
    run: async (open) => {
      const [here, there] = [await open(), await open("another")];
      for (const key of KEYS) {
        await here.set(key, bytesOf("here"), LONG_MS);
        await there.set(key, bytesOf("there"), LONG_MS);
      }
      await here.delete("a");
      await assertHolds(there, "a", bytesOf("there"));
      await here.clear();
      for (const key of KEYS) await assertHolds(there, key, bytesOf("there"));
    },
  },
  {
    name: "can be closed twice",
    run: async (open) => {
      const store = await open();
      await store.set("k", bytesOf("v"), LONG_MS);
      await store.close?.();
      await store.close?.();
    },
  },
  {
    name: "shares values, deletions and clears with a store of the same space",
    shared: true,
    run: async (open) => {
      const [one, two] = [await open(), await open()];
      await one.set("k", bytesOf("v"), LONG_MS);
      await assertHolds(two, "k", bytesOf("v"));
      await two.delete("k");
      await assertHolds(one, "k", undefined);
      await one.set("k", bytesOf("v"), LONG_MS);
      await two.clear();
      await assertHolds(one, "k", undefined);
      await one.set("k", bytesOf("w"), LONG_MS);
      await assertHolds(two, "k", bytesOf("w"));
    },
  },
  {
    name: "still holds after it was closed and opened again",
    shared: true,
    run: async (open) => {
      const store = await open();
      const witness = await open();
      await assertHolds(witness, "k", undefined);
      await store.set("k", bytesOf("v"), LONG_MS);
      await store.close?.();
      await assertHolds(await open(), "k", bytesOf("v"));
    },
  },
];
