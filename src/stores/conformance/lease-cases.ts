import { strict as assert } from "node:assert";
import type { ByteStore, StoreLeases } from "../../core/index.ts";
import type { StoreCase } from "./harness.ts";

const LONG_MS = 60_000;

function leasesOf(store: ByteStore): StoreLeases {
  assert.ok(store.leases !== undefined, "the store has leases");
  return store.leases;
}

export const LEASE_CASES: readonly StoreCase<ByteStore>[] = [
  {
    needs: "leases",
    name: "gives a lease to one holder, and to the next when it is given back",
    run: async (open) => {
      const leases = leasesOf(await open());
      assert.equal(await leases.acquire("k", "one", LONG_MS), true);
      assert.equal(await leases.acquire("k", "two", LONG_MS), false);
      assert.equal(await leases.acquire("other", "two", LONG_MS), true);
      await leases.release("k", "one");
      assert.equal(await leases.acquire("k", "two", LONG_MS), true);
    },
  },
  {
    needs: "leases",
    name: "takes nobody's lease away but the holder's own",
    run: async (open) => {
      const leases = leasesOf(await open());
      await leases.release("k", "nobody");
      assert.equal(await leases.acquire("k", "one", LONG_MS), true);
      await leases.release("k", "two");
      assert.equal(await leases.acquire("k", "two", LONG_MS), false);
    },
  },
  {
    needs: "leases",
    name: "gives a lease of many that ask at once to exactly one",
    run: async (open) => {
      const leases = leasesOf(await open());
      const holders = Array.from({ length: 50 }, (_, index) => `holder${index}`);
      const granted = await Promise.all(holders.map((holder) => leases.acquire("k", holder, LONG_MS)));
      assert.equal(granted.filter((won) => won).length, 1);
    },
  },
  {
    needs: "leases",
    name: "ends a lease when its time is over, counted from the last time it was acquired",
    run: async (open, { wait, now }) => {
      const leases = leasesOf(await open());
      const startedAt = now();
      assert.equal(await leases.acquire("short", "one", 300), true);
      assert.equal(await leases.acquire("renewed", "one", 300), true);
      assert.equal(await leases.acquire("renewed", "one", LONG_MS), true, "the holder may renew it");
      const free = await leases.acquire("short", "two", 300);
      // On a machine that is busy elsewhere its time may be over already.
      if (now() - startedAt < 300) assert.equal(free, false);
      await wait(320);
      assert.equal(await leases.acquire("short", "two", LONG_MS), true);
      assert.equal(await leases.acquire("renewed", "two", LONG_MS), false);
    },
  },
  {
    needs: "leases",
    name: "confuses no lease with a value, and clears none",
    run: async (open) => {
      const store = await open();
      assert.equal(await leasesOf(store).acquire("k", "one", LONG_MS), true);
      assert.equal(await store.get("k"), undefined);
      await store.delete("k");
      await store.clear();
      assert.equal(await leasesOf(store).acquire("k", "two", LONG_MS), false);
    },
  },
  {
    needs: "leases",
    name: "respects the leases of a store of the same space, and of no other",
    shared: true,
    run: async (open) => {
      const [one, two, elsewhere] = [await open(), await open(), await open("another")];
      assert.equal(await leasesOf(one).acquire("k", "one", LONG_MS), true);
      assert.equal(await leasesOf(two).acquire("k", "two", LONG_MS), false);
      assert.equal(await leasesOf(elsewhere).acquire("k", "two", LONG_MS), true);
    },
  },
];
