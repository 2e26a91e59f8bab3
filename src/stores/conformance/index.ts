import type { ByteStore, EntryStore, Store } from "../../core/index.ts";
import { BYTE_CASES } from "./byte-cases.ts";
import { ENTRY_CASES } from "./entry-cases.ts";
import type { StoreCase, StoreHarness } from "./harness.ts";
import { TAG_CASES } from "./tag-cases.ts";

export type { StoreHarness };

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
 * With `tags` also what a store with `generations` and `invalidate` has to do.
 */
export function byteStoreConformance(
  harness: StoreHarness<ByteStore> & { readonly tags: boolean },
): readonly ConformanceCase[] {
  const cases = [...BYTE_CASES, ...TAG_CASES];
  return cases
    .filter(({ shared, tags }) => (harness.shared || !shared) && (harness.tags || !tags))
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
