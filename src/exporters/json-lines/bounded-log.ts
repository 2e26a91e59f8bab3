import type { Clock, EventType, Timer } from "../../core/index.ts";
import type { LogRecord } from "./line.ts";
import { RateBound } from "./rate-bound.ts";
import type { Sink } from "./sinks.ts";

const TELL_EVERY_MS = 1_000;

interface Parts {
  readonly clock: Clock;
  readonly sink: Sink;
  readonly perSecond: number;
  /** Lines were lost, `inARow` since the last one that was written. Called at most once a second. */
  readonly onLoss: (error: string, inARow: number) => void;
}

/** Writes records, and counts and tells those that it does not. */
export class BoundedLog {
  written = 0;
  suppressed = 0;
  dropped = 0;
  readonly #parts: Parts;
  readonly #rate: RateBound;
  readonly #suppressedUntold = new Map<EventType, number>();
  #droppedUntold = 0;
  #lostInARow = 0;
  #lastError: string | undefined;
  #timer: Timer | undefined;

  constructor(parts: Parts) {
    this.#parts = parts;
    this.#rate = new RateBound(parts.perSecond);
  }

  /** Whether a line of that type has room within the second; if not, it is counted. */
  admits(type: EventType): boolean {
    if (this.#rate.admits(type, this.#parts.clock.now())) return true;
    this.suppressed++;
    this.#suppressedUntold.set(type, (this.#suppressedUntold.get(type) ?? 0) + 1);
    this.#arm();
    return false;
  }

  write(record: LogRecord): void {
    const error = this.#parts.sink.write(record);
    if (error === undefined) {
      this.written++;
      this.#lostInARow = 0;
      return;
    }
    this.dropped++;
    this.#droppedUntold++;
    this.failed(error);
  }

  failed(error: string): void {
    this.#lostInARow++;
    this.#lastError = error;
    this.#arm();
  }

  /** Tells what is untold, as far as it finds room. */
  close(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#tell();
  }

  #arm(): void {
    this.#timer ??= this.#parts.clock.background(TELL_EVERY_MS, () => {
      this.#timer = undefined;
      this.#tell();
      if (this.#droppedUntold > 0 || this.#suppressedUntold.size > 0) this.#arm();
    });
  }

  #tell(): void {
    if (this.#lastError !== undefined) this.#parts.onLoss(this.#lastError, this.#lostInARow);
    this.#lastError = undefined;
    if (this.#droppedUntold > 0 && this.#note("log.dropped", { count: this.#droppedUntold })) this.#droppedUntold = 0;
    for (const [of, count] of this.#suppressedUntold) {
      if (this.#note("log.suppressed", { of, count })) this.#suppressedUntold.delete(of);
    }
  }

  #note(event: string, fields: { readonly count: number; readonly of?: EventType }): boolean {
    const message = `${fields.count} lines not written${fields.of === undefined ? "" : `: too many of ${fields.of}`}`;
    const time = this.#parts.clock.wall();
    const error = this.#parts.sink.write({ severity: "warning", time, message, fields: { event, ...fields } });
    if (error === undefined) this.written++;
    return error === undefined;
  }
}
