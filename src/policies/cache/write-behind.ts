const WRITES_MAX = 1000;
const BYTES_MAX = 16 * 1024 * 1024;

/** Writes under way that nobody waits for. Bounded in number and bytes; what does not fit is dropped and counted. */
export class WriteBehind {
  readonly #pending = new Set<Promise<void>>();
  #bytes = 0;
  dropped = 0;

  get pending(): number {
    return this.#pending.size;
  }

  /** Begins a write of about `bytes`, unless there is no room. `write` says whether it succeeded; it must not reject. */
  add(bytes: number, write: () => Promise<boolean>): boolean {
    if (this.#pending.size >= WRITES_MAX || this.#bytes + bytes > BYTES_MAX) {
      this.dropped++;
      return false;
    }
    this.#bytes += bytes;
    const done = write().then((written) => {
      this.#pending.delete(done);
      this.#bytes -= bytes;
      if (!written) this.dropped++;
    });
    this.#pending.add(done);
    return true;
  }

  /** Waits for the writes that are under way now. */
  async settled(): Promise<void> {
    await Promise.all(this.#pending);
  }
}
