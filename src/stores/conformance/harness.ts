import type { Store } from "../../core/index.ts";

/** How the conformance cases get at a kind of store. */
export interface StoreHarness<S extends Store = Store> {
  /**
   * A new store over the named space: empty when the space is new. Stores of one space hold the same if `shared`;
   * stores of different spaces never see one another's entries, even where they share a server or file.
   */
  open(space: string): S | Promise<S>;
  /** Whether stores of one space, opened at the same time, hold the same. */
  readonly shared: boolean;
  /** Lets this time pass, for the store and for `now`. */
  wait(ms: number): void | Promise<void>;
  /** What the store's clock tells: milliseconds since the Unix epoch. */
  now(): number;
}

/** What a store of bytes may have beside values. */
export interface ByteStoreFeatures {
  readonly marks: boolean;
  readonly leases: boolean;
  /** Whether its marks have `watch`. */
  readonly watch: boolean;
}

/** One thing that every store has to do; `run` rejects with an `AssertionError` if it does not. */
export interface StoreCase<S extends Store = Store> {
  readonly name: string;
  /** Only for stores that are shared. */
  readonly shared?: boolean;
  /** Only for stores that have it. */
  readonly needs?: keyof ByteStoreFeatures;
  /** `open` opens a store of the case's own space, or of a named other one; all are closed afterwards. */
  run(open: (other?: string) => Promise<S>, harness: StoreHarness<S>): Promise<void>;
}
