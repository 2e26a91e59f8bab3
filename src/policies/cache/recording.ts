import {
  type Call,
  type Chunk,
  type KeptAnswer,
  plainCopy,
  type ReplyHead,
  type StreamRecord,
} from "../../core/index.ts";

// Holding a chunk costs something even when it is empty.
const CHUNK_BYTES_MIN = 16;

/** Takes down what a stream gives. Beyond its bound it lets go of everything and takes down no more. */
export class Recording {
  readonly #bytesMax: number;
  #record: StreamRecord | undefined;

  constructor(call: Call, bytesMax: number) {
    this.#bytesMax = bytesMax;
    this.#record = call.wire.record?.(call) ?? new ChunkRecord(call);
  }

  /** It became too large. */
  get overflowed(): boolean {
    return this.#record === undefined;
  }

  add(chunk: Chunk): void {
    if (this.#record === undefined) return;
    this.#record.add(chunk.value);
    if (this.#record.size > this.#bytesMax) this.#record = undefined;
  }

  /** `undefined` for what cannot be kept. */
  keep(head: ReplyHead): KeptAnswer | undefined {
    return this.#record?.keep(head);
  }
}

/** Every chunk as it is, for a wire that has no record of its own. */
class ChunkRecord implements StreamRecord {
  readonly #call: Call;
  readonly #values: unknown[] = [];
  size = 0;

  constructor(call: Call) {
    this.#call = call;
  }

  add(chunk: unknown): void {
    // A copy, because the consumer may change what it is handed.
    const { value, bytes } = plainCopy(chunk);
    this.size += Math.max(CHUNK_BYTES_MIN, bytes);
    this.#values.push(value);
  }

  keep(head: ReplyHead): KeptAnswer | undefined {
    return this.#call.wire.keep(this.#call, head, { chunks: this.#values });
  }
}
