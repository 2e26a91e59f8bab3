import type { KeptAnswer } from "../../core/index.ts";

/** A question, and its answer by the provider. Times are the clock's. */
export interface Remembered {
  readonly id: string;
  readonly partition: string;
  readonly text: string;
  readonly vector: Float32Array;
  readonly answer: KeptAnswer;
  readonly createdAt: number;
  readonly expiresAt: number;
  readonly tags: readonly string[];
  readonly label: string;
  /** The key that the exact cache has the same answer under, if it was asked first. */
  readonly cacheKey: string | undefined;
}

// Map entries, the object itself, keys.
const OVERHEAD_BYTES = 600;

function bytesOf({ text, vector, answer, tags, label }: Remembered): number {
  const chars = [text, answer.text, label, ...tags].reduce((sum, { length }) => sum + length, 0);
  return OVERHEAD_BYTES + 2 * chars + vector.byteLength;
}

/** A bounded number of remembered answers; the one used longest ago makes room. */
export class Memory {
  readonly #entries = new Map<string, Remembered>();
  readonly #partitions = new Map<string, number>();
  readonly #maxEntries: number;
  readonly #maxBytes: number;
  readonly #dropped: (entry: Remembered) => void;
  #bytes = 0;

  /** `dropped` runs for every entry that is there no more. */
  constructor(maxEntries: number, maxBytes: number, dropped: (entry: Remembered) => void) {
    this.#maxEntries = maxEntries;
    this.#maxBytes = maxBytes;
    this.#dropped = dropped;
  }

  get entries(): number {
    return this.#entries.size;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Whether there is anything to compare a question of this partition with. */
  knows(partition: string): boolean {
    return this.#partitions.has(partition);
  }

  get(id: string): Remembered | undefined {
    return this.#entries.get(id);
  }

  add(entry: Remembered): void {
    this.delete(entry.id);
    this.#entries.set(entry.id, entry);
    this.#bytes += bytesOf(entry);
    this.#partitions.set(entry.partition, (this.#partitions.get(entry.partition) ?? 0) + 1);
    for (const id of this.#entries.keys()) {
      if (this.#entries.size <= this.#maxEntries && this.#bytes <= this.#maxBytes) return;
      this.delete(id);
    }
  }

  used(entry: Remembered): void {
    this.#entries.delete(entry.id);
    this.#entries.set(entry.id, entry);
  }

  delete(id: string): void {
    const entry = this.#entries.get(id);
    if (entry === undefined) return;
    this.#entries.delete(id);
    this.#bytes -= bytesOf(entry);
    const left = (this.#partitions.get(entry.partition) ?? 1) - 1;
    if (left === 0) this.#partitions.delete(entry.partition);
    else this.#partitions.set(entry.partition, left);
    this.#dropped(entry);
  }

  deleteWhere(matches: (entry: Remembered) => boolean): void {
    for (const entry of this.#entries.values()) if (matches(entry)) this.delete(entry.id);
  }
}
