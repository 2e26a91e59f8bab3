import type { Call } from "./call.ts";
import { plainCopy } from "./plain-copy.ts";
import type { Chunk, ReplyHead, ValueBody } from "./reply.ts";
import type { KeptAnswer, StreamRecord } from "./wire.ts";

// Holding a chunk costs something even when it is empty.
const CHUNK_BYTES_MIN = 16;

/** A whole body as it is kept; `undefined` for what cannot be. */
export function keptValue(call: Call, head: ReplyHead, { value }: ValueBody): KeptAnswer | undefined {
  return orNothing(() => call.wire.keep(call, head, { value }));
}

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

  /** The stream as it is kept, after its last chunk; `undefined` for what cannot be. */
  keep(head: ReplyHead): KeptAnswer | undefined {
    return orNothing(() => this.#record?.keep(head));
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

// What a wire cannot read must not fail the call that brought it.
function orNothing(keep: () => KeptAnswer | undefined): KeptAnswer | undefined {
  try {
    return keep();
  } catch {
    return undefined;
  }
}
