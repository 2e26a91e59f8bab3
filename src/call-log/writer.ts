import { type EventMap, errorName, nextTurn, type Runtime, type Timer } from "../core/index.ts";
import type { SqlValue } from "../sqlite/index.ts";
import type { LogFile } from "./file.ts";
import type { CallLogSettings } from "./options.ts";

// Handing one batch to the other thread takes a few tenths of a millisecond.
const BATCH_ROWS = 256;
const TRIES_MAX = 5;
const TELL_EVERY_MS = 1_000;

/**
 * Gathers rows and has them written in batches, so that no call waits for the disk. What cannot be written is tried again
 * up to five times, one flush after the other, and then dropped.
 */
export class RowWriter {
  readonly #file: LogFile;
  readonly #runtime: Runtime;
  readonly #settings: Pick<CallLogSettings, "flushMs" | "maxQueued">;
  #queue: SqlValue[][] = [];
  #timer: Timer | undefined;
  #draining: Promise<void> | undefined;
  #tries = 0;
  #untold: EventMap["calllog.dropped"] | undefined;
  #toldAt = Number.NEGATIVE_INFINITY;
  written = 0;
  dropped = 0;

  constructor(file: LogFile, runtime: Runtime, settings: Pick<CallLogSettings, "flushMs" | "maxQueued">) {
    this.#file = file;
    this.#runtime = runtime;
    this.#settings = settings;
  }

  get queued(): number {
    return this.#queue.length;
  }

  add(row: SqlValue[]): void {
    if (this.#queue.length >= this.#settings.maxQueued) {
      this.#drop(1, "full", undefined);
      return;
    }
    this.#queue.push(row);
    if (this.#queue.length >= BATCH_ROWS && this.#tries === 0) void this.flush();
    else this.#arm();
  }

  /** Resolves when everything that waits now has been written, or could not be. */
  flush(): Promise<void> {
    this.#timer?.cancel();
    this.#timer = undefined;
    if (this.#queue.length > 0) this.#draining ??= this.#drain();
    return this.#draining ?? Promise.resolve();
  }

  async close(): Promise<void> {
    await this.flush();
    this.#timer?.cancel();
    const lost = this.#queue.length;
    this.#queue = [];
    if (lost > 0) this.#drop(lost, "failed", undefined);
    this.#tell();
  }

  #arm(): void {
    this.#timer ??= this.#runtime.clock.background(this.#settings.flushMs, () => void this.flush());
  }

  async #drain(): Promise<void> {
    while (this.#queue.length > 0) {
      await nextTurn();
      if (!(await this.#writeBatch())) break;
    }
    // In the same turn in which nothing was left: a row that comes in the next needs another round.
    this.#draining = undefined;
    this.#tellIfDue();
    if (this.#queue.length > 0) this.#arm();
  }

  /** Writes the first rows, or drops them after the last try; false when they are to be tried again later. */
  async #writeBatch(): Promise<boolean> {
    const batch = this.#queue.slice(0, BATCH_ROWS);
    try {
      await this.#file.append(batch);
      this.written += batch.length;
      this.#tries = 0;
    } catch (error) {
      this.#tries++;
      if (this.#tries < TRIES_MAX) return false;
      this.#tries = 0;
      this.#drop(batch.length, "failed", errorName(error));
    }
    this.#queue.splice(0, batch.length);
    return true;
  }

  #drop(rows: number, reason: "full" | "failed", error: string | undefined): void {
    this.dropped += rows;
    this.#untold = { rows: rows + (this.#untold?.rows ?? 0), reason, error };
    this.#tellIfDue();
  }

  #tellIfDue(): void {
    if (this.#runtime.clock.now() - this.#toldAt >= TELL_EVERY_MS) this.#tell();
  }

  #tell(): void {
    if (this.#untold === undefined) return;
    this.#runtime.events.emit("calllog.dropped", undefined, this.#untold);
    this.#untold = undefined;
    this.#toldAt = this.#runtime.clock.now();
  }
}
