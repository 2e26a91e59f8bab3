import { strict as assert } from "node:assert";
import type { ByteStore } from "../../core/index.ts";
import type { ByteStoreFeatures, StoreCase } from "./harness.ts";

/** A store that has more than it says would go untested. */
export function featureCase(says: ByteStoreFeatures): StoreCase<ByteStore> {
  return {
    name: "has what it says it has, and no more",
    run: async (open) => {
      const { marks, leases } = await open();
      const has = { marks: marks !== undefined, leases: leases !== undefined, watch: marks?.watch !== undefined };
      assert.deepEqual(has, { marks: says.marks, leases: says.leases, watch: says.watch });
    },
  };
}
