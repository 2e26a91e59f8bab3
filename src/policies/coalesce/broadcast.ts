import {
  broken,
  type Call,
  type Chunk,
  type ChunkSource,
  type ChunkStream,
  type Fault,
  interrupted,
  plainCopy,
  type Reply,
  type ServedBy,
  type Settlement,
  streamFor,
  streamReply,
} from "../../core/index.ts";

// Holding a chunk costs something even when it is empty.
const CHUNK_BYTES_MIN = 16;

interface Held {
  readonly chunk: Chunk;
  readonly bytes: number;
}

export interface BroadcastEnds {
  /** Nobody can join any more. Runs once. */
  closed(): void;
  /** The last reader left before the end. */
  deserted(reason: unknown): void;
}

/**
 * One stream for many readers, each at its own pace. The source is pulled when the fastest asks. What has been read is
 * held from the first chunk on, so that newcomers miss nothing; beyond `bytesMax` nobody can join, what all have read
 * is let go, and a reader that falls further behind than that is cut off.
 */
export class Broadcast {
  readonly #reply: Reply;
  readonly #source: ChunkStream;
  readonly #bytesMax: number;
  readonly #ends: BroadcastEnds;
  readonly #readers = new Set<Reader>();
  #held: Held[] = [];
  #heldBytes = 0;
  /** How many chunks have been let go. */
  #gone = 0;
  #pulling = false;
  #stopping = false;
  #open = true;
  /** The provider's own sign that the answer is complete has come. */
  #endPassed = false;
  #end: Settlement | undefined;

  constructor(reply: Reply, source: ChunkStream, bytesMax: number, ends: BroadcastEnds) {
    this.#reply = reply;
    this.#source = source;
    this.#bytesMax = bytesMax;
    this.#ends = ends;
    source.settled.subscribe((settlement) => {
      // With a pull under way the end arrives with its answer; whoever stops the source reads it there.
      if (settlement.fault !== undefined && !this.#pulling && !this.#stopping) this.#finish(settlement);
    });
  }

  get readers(): number {
    return this.#readers.size;
  }

  /** A reply of its own for `call`, from the first chunk on. Only while the broadcast is open. */
  join(call: Call, servedBy: ServedBy): Reply {
    const reader = new Reader(this, servedBy);
    this.#readers.add(reader);
    reader.stream = streamFor(call, reader);
    return {
      ...streamReply(reader.stream, this.#reply.head),
      // Read when the answer is over: by then another may stand for it.
      get servedBy() {
        return reader.servedBy;
      },
    };
  }

  read(reader: Reader): Promise<Chunk | Settlement> {
    const held = this.#held[reader.position - this.#gone];
    if (held !== undefined) return Promise.resolve(reader.take(held.chunk));
    if (this.#end !== undefined) {
      this.#readers.delete(reader);
      return Promise.resolve(reader.endOf(this.#end));
    }
    return new Promise((resolve) => {
      reader.waiting = resolve;
      this.#pull();
    });
  }

  /**
   * Answers with how the body ended, for a reader who leaves with all of it. Of the others the one that stands for the
   * answer hands that on; the last one is told what was spent.
   */
  leave(reader: Reader, fault: Fault): Settlement | undefined {
    this.#readers.delete(reader);
    const hasAll = this.#endPassed && reader.position === this.#gone + this.#held.length;
    if (this.#end === undefined && (hasAll || this.#readers.size === 0)) {
      this.#stop(fault, hasAll);
      if (this.#readers.size === 0) this.#ends.deserted(fault.error);
    }
    if (this.#end !== undefined && hasAll) return reader.endOf(this.#end);
    if (reader.servedBy !== "upstream") return undefined;
    const [heir] = this.#readers;
    if (heir === undefined) return broken(fault, this.#end?.usage);
    heir.servedBy = "upstream";
    return undefined;
  }

  #stop(fault: Fault, whole: boolean): void {
    const was = this.#source.settled.isOpen;
    this.#stopping = true;
    // The body first: it would take the cancellation for the caller's.
    this.#source.fail(fault);
    const settlement = this.#source.settled.value;
    // A source that cannot tell what it came to: its end has passed all the same, and others are still to read it.
    if (settlement !== undefined)
      this.#finish(settlement.fault !== undefined && whole && !was ? { ...settlement, fault: undefined } : settlement);
    this.#close();
  }

  #pull(): void {
    if (this.#pulling) return;
    this.#pulling = true;
    void this.#source.next().then((chunk) => {
      this.#pulling = false;
      if (chunk !== undefined) this.#arrive(chunk);
      else if (this.#source.settled.value !== undefined) this.#finish(this.#source.settled.value);
    });
  }

  #arrive({ role, value }: Chunk): void {
    if (role === "end") this.#endPassed = true;
    // Held as a copy: what one reader is handed must not be what another gets.
    const copy = plainCopy(value);
    const chunk: Chunk = { role, value: copy.value };
    const bytes = Math.max(CHUNK_BYTES_MIN, copy.bytes);
    this.#held.push({ chunk, bytes });
    this.#heldBytes += bytes;
    for (const reader of this.#readers) reader.wake(() => reader.take(chunk));
    if (this.#heldBytes > this.#bytesMax) this.#shrink();
  }

  #shrink(): void {
    this.#close();
    for (;;) {
      const slowest = this.#slowest();
      this.#letGo(slowest?.position ?? this.#gone + this.#held.length);
      if (slowest === undefined || this.#heldBytes <= this.#bytesMax) return;
      slowest.stream?.fail(interrupted("The reader fell too far behind others of the same answer."));
      this.#readers.delete(slowest);
    }
  }

  #slowest(): Reader | undefined {
    let slowest: Reader | undefined;
    for (const reader of this.#readers) {
      if (slowest === undefined || reader.position < slowest.position) slowest = reader;
    }
    return slowest;
  }

  #letGo(before: number): void {
    for (const { bytes } of this.#held.splice(0, before - this.#gone)) this.#heldBytes -= bytes;
    this.#gone = before;
  }

  #finish(settlement: Settlement): void {
    if (this.#end !== undefined) return;
    this.#end = settlement;
    this.#close();
    const { fault } = settlement;
    const last = this.#gone + this.#held.length;
    for (const reader of this.#readers) {
      if (reader.position < last) continue;
      if (reader.wake(() => reader.endOf(settlement))) this.#readers.delete(reader);
      // Nobody asks for more, but whoever waits for the end must learn of a failure.
      else if (fault !== undefined) reader.stream?.fail(fault);
    }
  }

  #close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#ends.closed();
  }
}

/** One reader's place in the broadcast. */
class Reader implements ChunkSource {
  readonly #broadcast: Broadcast;
  servedBy: ServedBy;
  position = 0;
  stream: ChunkStream | undefined;
  waiting: ((item: Chunk | Settlement) => void) | undefined;

  constructor(broadcast: Broadcast, servedBy: ServedBy) {
    this.#broadcast = broadcast;
    this.servedBy = servedBy;
  }

  pull(): Promise<Chunk | Settlement> {
    return this.#broadcast.read(this);
  }

  cancel(reason: Fault): Settlement | undefined {
    return this.#broadcast.leave(this, reason);
  }

  /** How the body ended, for this reader: what a failed one has cost is counted once. */
  endOf(end: Settlement): Settlement {
    return end.fault === undefined || this.servedBy === "upstream" ? end : broken(end.fault);
  }

  take(chunk: Chunk): Chunk {
    this.position++;
    return typeof chunk.value === "string" ? chunk : { role: chunk.role, value: plainCopy(chunk.value).value };
  }

  /** Says whether the reader was waiting. */
  wake(item: () => Chunk | Settlement): boolean {
    const { waiting } = this;
    this.waiting = undefined;
    waiting?.(item());
    return waiting !== undefined;
  }
}
