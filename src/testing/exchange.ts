import type { Clock, Timer } from "../core/index.ts";
import type { Due } from "./due-heap.ts";
import type { PlainReply } from "./provider-errors.ts";
import type { ProviderLimits } from "./provider-limits.ts";
import type { OpenLogEntry, ProviderLog } from "./provider-log.ts";
import type { SharedDecoder } from "./shared-decoder.ts";

/** Where a reply goes: a socket, or the response of a fetch. Called in the order head, write ..., end or break. */
export interface ReplySink {
  head(status: number, headers: Readonly<Record<string, string>>): void;
  /** Sends the head now, though no body is there yet. */
  flush(): void;
  write(text: string): void;
  end(text?: string): void;
  /** The connection was never there (`refused`) or breaks now (`reset`). */
  break(how: "refused" | "reset"): void;
}

/** What every exchange of one provider shares. */
export interface ProviderParts {
  readonly clock: Clock;
  /** The clock's time when the provider was made. */
  readonly startedAt: number;
  readonly limits: ProviderLimits;
  readonly decoder: SharedDecoder;
  readonly log: ProviderLog;
  readonly settle: boolean;
}

/** One request and its reply: what it holds (a place, a timer, a share of the decoder), given back exactly once. */
export class Exchange {
  readonly entry: OpenLogEntry;
  readonly #parts: ProviderParts;
  readonly #sink: ReplySink;
  #timer: Timer | undefined;
  #due: Due | undefined;
  #decoding = false;
  #over = false;

  constructor(parts: ProviderParts, sink: ReplySink, entry: OpenLogEntry) {
    this.#parts = parts;
    this.#sink = sink;
    this.entry = entry;
    parts.log.open(entry);
  }

  get over(): boolean {
    return this.#over;
  }

  /** The decoder's work line. */
  get work(): number {
    return this.#parts.decoder.now();
  }

  admitted(charged: number): void {
    this.#parts.log.admitted(this.entry, charged, this.#parts.limits.running);
  }

  /** Goes on after `ms`; at once, if that is no time. */
  after(ms: number, fn: () => void): void {
    if (ms <= 0) fn();
    else this.#timer = this.#parts.clock.timer(ms, fn);
  }

  decode(): void {
    this.#decoding = true;
    this.#parts.decoder.join();
  }

  /** Goes on when the decoder's work line has reached `work`; at once, if it has. */
  atWork(work: number, fn: () => void): void {
    if (work <= this.work) fn();
    else this.#due = this.#parts.decoder.at(work, fn);
  }

  head(status: number, headers: Readonly<Record<string, string>>): void {
    this.#parts.log.replied(this.entry, status);
    this.#sink.head(status, headers);
  }

  flush(): void {
    this.#sink.flush();
  }

  write(text: string): void {
    if (text !== "") this.#sink.write(text);
  }

  /** Sends a whole reply and ends. */
  reply({ status, headers, body }: PlainReply): void {
    this.head(status, { ...headers, "content-length": String(Buffer.byteLength(body)) });
    this.end(body);
  }

  end(text?: string): void {
    if (this.#close(false)) this.#sink.end(text);
  }

  break(how: "refused" | "reset"): void {
    if (this.#close(false)) this.#sink.break(how);
  }

  /** The client went away. */
  abort(): void {
    this.#close(true);
  }

  #close(aborted: boolean): boolean {
    if (this.#over) return false;
    this.#over = true;
    const { clock, startedAt, limits, decoder, log, settle } = this.#parts;
    this.#timer?.cancel();
    if (this.#due !== undefined) decoder.cancel(this.#due);
    if (this.#decoding) decoder.leave();
    if (this.entry.admitted) {
      limits.release();
      const { promptTokens, outputTokens, charged } = this.entry;
      if (settle) {
        limits.charge(promptTokens + outputTokens - charged, clock.now());
        this.entry.charged = promptTokens + outputTokens;
      }
    }
    log.close(this.entry, clock.now() - startedAt, aborted);
    return true;
  }
}
