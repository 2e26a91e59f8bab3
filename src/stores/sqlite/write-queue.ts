import { StoreError } from "../../core/index.ts";
import type { Write } from "./entries-table.ts";

// One batch holds up the event loop for about a millisecond.
const BATCH_WRITES = 32;
const BATCH_BYTES = 256 * 1024;
const QUEUE_WRITES = 4096;
const QUEUE_BYTES = 32 * 1024 ** 2;

/** Writes of one batch that are still wanted when it is carried out: the last of each key, and none that was cleared. */
export type Batch = () => readonly Write[];

interface Queued {
  readonly write: Write;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Gathers writes and hands them on in batches, each from a turn of the event loop of its own, so that no caller waits
 * for the disk. Bounded: beyond 4,096 writes or 32 MB a new one is refused.
 */
export class WriteQueue {
  readonly #flush: (batch: Batch) => Promise<void>;
  readonly #batchBytes: number;
  readonly #queued = new Map<string, Queued>();
  #bytes = 0;
  #draining: Promise<void> | undefined;

  /** `maxBytes` bounds a batch, beside the bounds it has anyway. */
  constructor(maxBytes: number, flush: (batch: Batch) => Promise<void>) {
    this.#batchBytes = Math.min(maxBytes, BATCH_BYTES);
    this.#flush = flush;
  }

  /** Resolves when the write, or a later one of the same key, is done. */
  add(write: Write): Promise<void> {
    const size = sizeOf(write);
    const earlier = this.#queued.get(write.key);
    if (earlier === undefined && this.#queued.size >= QUEUE_WRITES) return refused();
    if (this.#bytes + size > QUEUE_BYTES) return refused();
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    if (earlier !== undefined) {
      this.#take(earlier);
      promise.then(earlier.resolve, earlier.reject);
    }
    this.#queued.set(write.key, { write, resolve, reject });
    this.#bytes += size;
    this.#draining ??= this.#drain();
    return promise;
  }

  /** The write that waits for this key. */
  find(key: string): Write | undefined {
    return this.#queued.get(key)?.write;
  }

  /** Forgets what waits: it was written and cleared. */
  drop(): void {
    for (const queued of this.#queued.values()) {
      this.#take(queued);
      queued.resolve();
    }
  }

  /** Resolves when nothing waits any more. */
  async settled(): Promise<void> {
    await this.#draining;
  }

  async #drain(): Promise<void> {
    while (this.#queued.size > 0) {
      await new Promise((resolve) => setImmediate(resolve));
      const batch = this.#next();
      if (batch.length > 0) await this.#flushBatch(batch);
    }
    this.#draining = undefined;
  }

  // A write stays in the queue, where reads find it, until it is done; a later one of its key may take its place.
  async #flushBatch(batch: readonly Queued[]): Promise<void> {
    try {
      await this.#flush(() => batch.filter((queued) => this.#waits(queued)).map(({ write }) => write));
      for (const queued of batch) queued.resolve();
    } catch (error) {
      for (const queued of batch) queued.reject(error);
    } finally {
      for (const queued of batch) if (this.#waits(queued)) this.#take(queued);
    }
  }

  #next(): Queued[] {
    const batch: Queued[] = [];
    let bytes = 0;
    for (const queued of this.#queued.values()) {
      const size = sizeOf(queued.write);
      if (batch.length >= BATCH_WRITES || (batch.length > 0 && bytes + size > this.#batchBytes)) break;
      batch.push(queued);
      bytes += size;
    }
    return batch;
  }

  #waits(queued: Queued): boolean {
    return this.#queued.get(queued.write.key) === queued;
  }

  #take({ write }: Queued): void {
    this.#queued.delete(write.key);
    this.#bytes -= sizeOf(write);
  }
}

function sizeOf({ key, bytes }: Write): number {
  return key.length + (bytes?.byteLength ?? 0);
}

function refused(): Promise<never> {
  return Promise.reject(new StoreError("Too many writes wait for the disk; this one was not kept."));
}
