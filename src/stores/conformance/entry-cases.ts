import { strict as assert } from "node:assert";
import type { Entry, EntryStore } from "../../core/index.ts";
import type { StoreCase } from "./harness.ts";

const LONG_MS = 60_000;

function entryOf(text: string, now: number, ttlMs = LONG_MS): Entry {
  return {
    answer: { form: "value", text, head: { status: 200, headers: [["content-type", "application/json"]] } },
    check: "check",
    createdAt: now,
    freshUntil: now + ttlMs,
    expiresAt: now + ttlMs,
    tookMs: 500,
    cost: 1,
    label: "/chat/m/",
    owner: "key",
    model: "m",
    usage: undefined,
    tags: { faq: 1 },
    sweep: 0,
  };
}

export const ENTRY_CASES: readonly StoreCase<EntryStore>[] = [
  {
    name: "says entries and has a name",
    run: async (open) => {
      const store = await open();
      assert.equal(store.holds, "entries");
      assert.ok(store.name.length > 0);
    },
  },
  {
    name: "finds nothing under a key that was never set",
    run: async (open) => assert.equal((await open()).get("absent"), undefined),
  },
  {
    name: "gives back the entry it was given, the last one under each key",
    run: async (open, { now }) => {
      const store = await open();
      const [first, second, other] = [entryOf("1", now()), entryOf("2", now()), entryOf("3", now())];
      store.set("k", first);
      store.set("other", other);
      store.set("k", second);
      assert.deepEqual(store.get("k"), second);
      assert.deepEqual(store.get("other"), other);
    },
  },
  {
    name: "keeps keys apart that objects confuse",
    run: async (open, { now }) => {
      const store = await open();
      const keys = ["a", "A", "__proto__", "constructor", "toString", "1", "01", "a:b"];
      for (const key of keys) assert.equal(store.get(key), undefined);
      for (const key of keys) store.set(key, entryOf(key, now()));
      for (const key of keys) assert.equal(store.get(key)?.answer.text, key);
    },
  },
  {
    name: "keeps an entry until it expires and no longer",
    run: async (open, { now, wait }) => {
      const store = await open();
      store.set("short", entryOf("v", now(), 300));
      store.set("long", entryOf("w", now()));
      assert.equal(store.get("short")?.answer.text, "v");
      await wait(320);
      assert.equal(store.get("short"), undefined);
      assert.equal(store.get("long")?.answer.text, "w");
    },
  },
  {
    name: "does not keep what has expired already",
    run: async (open, { now }) => {
      const store = await open();
      store.set("k", entryOf("good", now()));
      store.set("k", entryOf("late", now(), 0));
      assert.equal(store.get("k"), undefined);
    },
  },
  {
    name: "forgets a deleted key, and takes the deletion of an absent one calmly",
    run: async (open, { now }) => {
      const store = await open();
      store.set("k", entryOf("v", now()));
      store.set("other", entryOf("w", now()));
      store.delete("k");
      store.delete("k");
      assert.equal(store.get("k"), undefined);
      assert.equal(store.get("other")?.answer.text, "w");
    },
  },
  {
    name: "holds nothing after a clear, and takes new entries",
    run: async (open, { now }) => {
      const store = await open();
      for (let index = 0; index < 100; index++) store.set(`k${index}`, entryOf("v", now()));
      store.clear();
      for (let index = 0; index < 100; index++) assert.equal(store.get(`k${index}`), undefined);
      store.set("new", entryOf("v", now()));
      assert.equal(store.get("new")?.answer.text, "v");
    },
  },
  {
    name: "shares nothing with a store of another space",
    run: async (open, { now }) => {
      const [here, there] = [await open(), await open("another")];
      here.set("k", entryOf("here", now()));
      assert.equal(there.get("k"), undefined);
      there.set("k", entryOf("there", now()));
      here.clear();
      assert.equal(there.get("k")?.answer.text, "there");
    },
  },
  {
    name: "can be closed twice",
    run: async (open) => {
      const store = await open();
      await store.close?.();
      await store.close?.();
    },
  },
];
