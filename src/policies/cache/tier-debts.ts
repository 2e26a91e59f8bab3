import type { ByteStore, Runtime, Timer } from "../../core/index.ts";
import type { TierGuard } from "./tier-guard.ts";
import type { WriteBehind } from "./write-behind.ts";

const TAGS_MAX = 10_000;
const TAGS_AT_ONCE = 100;
const RETRY_MS = 1000;
const CLEAR_LIMIT_MS = 5000;

/**
 * Invalidations that a tier has not carried out yet, because it is slow or down. Until it has, what it holds under
 * those tags counts as stale. Beyond 10,000 tags the whole tier is to be cleared instead.
 */
export class TierDebts {
  readonly #store: ByteStore;
  readonly #guard: TierGuard;
  readonly #writes: WriteBehind;
  readonly #runtime: Runtime;
  readonly #limitMs: () => number;
  /** The version at which each tag was invalidated last. */
  readonly #tags = new Map<string, number>();
  #clear: number | undefined;
  #paying: Promise<void> | undefined;
  #retry: Timer | undefined;
  #closed = false;

  constructor(store: ByteStore, guard: TierGuard, writes: WriteBehind, runtime: Runtime, limitMs: () => number) {
    this.#store = store;
    this.#guard = guard;
    this.#writes = writes;
    this.#runtime = runtime;
    this.#limitMs = limitMs;
  }

  /** Whether an entry with `tags` may be one that was invalidated. */
  concern(tags: readonly string[]): boolean {
    return this.#clear !== undefined || tags.some((tag) => this.#tags.has(tag));
  }

  oweTags(tags: readonly string[], version: number): Promise<void> {
    for (const tag of tags) this.#tags.set(tag, version);
    if (this.#tags.size > TAGS_MAX) {
      this.#tags.clear();
      this.#clear = version;
    }
    return this.pay();
  }

  oweClear(version: number): Promise<void> {
    this.#clear = version;
    return this.pay();
  }

  /** Carries out what is owed, as far as the tier takes it; what is left is tried again each second. */
  pay(): Promise<void> {
    if (this.#paying === undefined && this.#owes && !this.#closed) this.#paying = this.#payAll();
    return this.#paying ?? Promise.resolve();
  }

  close(): void {
    this.#closed = true;
    this.#retry?.cancel();
  }

  get #owes(): boolean {
    return this.#clear !== undefined || this.#tags.size > 0;
  }

  async #payAll(): Promise<void> {
    this.#retry?.cancel();
    let paid = true;
    while (paid && this.#owes && !this.#closed) {
      paid = this.#clear === undefined ? await this.#payTags() : await this.#payClear(this.#clear);
    }
    if (!paid && !this.#closed) this.#retry = this.#runtime.clock.background(RETRY_MS, () => void this.pay());
    // Here and not a step later: what is owed from now on must find nobody paying.
    this.#paying = undefined;
  }

  async #payTags(): Promise<boolean> {
    const due = [...this.#tags].slice(0, TAGS_AT_ONCE);
    const done = await this.#guard.run("invalidate", this.#limitMs(), async () => {
      await this.#store.invalidate?.(due.map(([tag]) => tag));
      return true;
    });
    if (done === undefined) return false;
    // One that was invalidated again meanwhile is still owed.
    for (const [tag, version] of due) if (this.#tags.get(tag) === version) this.#tags.delete(tag);
    return true;
  }

  async #payClear(version: number): Promise<boolean> {
    // A write under way could land behind the clearing.
    await this.#writes.settled();
    const done = await this.#guard.run("clear", Math.max(CLEAR_LIMIT_MS, this.#limitMs()), async () => {
      await this.#store.clear();
      return true;
    });
    if (done === undefined) return false;
    if (this.#clear === version) this.#clear = undefined;
    return true;
  }
}
