import type { ByteStore, EntryStore, Store } from "../../core/index.ts";
import { BYTE_CASES } from "./byte-cases.ts";
import { ENTRY_CASES } from "./entry-cases.ts";
import { featureCase } from "./feature-case.ts";
import type { ByteStoreFeatures, StoreCase, StoreHarness } from "./harness.ts";
import { LEASE_CASES } from "./lease-cases.ts";
import { MARK_CASES } from "./mark-cases.ts";
import { WATCH_CASES } from "./watch-cases.ts";

export type { ByteStoreFeatures, StoreHarness };

/** A case ready to run; `run` rejects with an `AssertionError` that says what is wrong. */
export interface ConformanceCase {
  readonly name: string;
  run(): Promise<void>;
}

/**
 * What every cache store has to do, as cases for any test runner:
 *
 *     for (const { name, run } of byteStoreConformance(harness)) test(name, run);
 *
 * With `marks`, `leases` and `watch` also what a store that has these has to do.
 */
export function byteStoreConformance(harness: StoreHarness<ByteStore> & ByteStoreFeatures): readonly ConformanceCase[] {
  const cases = [...BYTE_CASES, featureCase(harness), ...MARK_CASES, ...LEASE_CASES, ...WATCH_CASES];
  return cases
    .filter(({ shared, needs }) => (harness.shared || !shared) && (needs === undefined || harness[needs]))
    .map((each) => ready(each, harness));
}

/** As {@link byteStoreConformance}, for stores inside the process. */
export function entryStoreConformance(harness: StoreHarness<EntryStore>): readonly ConformanceCase[] {
  return ENTRY_CASES.map((each) => ready(each, harness));
}

let spaces = 0;

function ready<S extends Store>({ name, run }: StoreCase<S>, harness: StoreHarness<S>): ConformanceCase {
  return {
    name,
    run: async () => {
      const space = `space${++spaces}`;
      const opened: S[] = [];
      const open = async (other = ""): Promise<S> => {
        const store = await harness.open(space + other);
        opened.push(store);
        return store;
      };
      try {
        await run(open, harness);
      } finally {
        await Promise.all(opened.map((store) => store.close?.()));
      }
    },
  };
}
