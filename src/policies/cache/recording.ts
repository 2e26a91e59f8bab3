import { type Chunk, plainCopy } from "../../core/index.ts";

// Holding a chunk costs something even when it is empty.
const CHUNK_BYTES_MIN = 16;

/** Takes down what a stream gives. Beyond its bound it lets go of everything and takes down no more. */
export class Recording {
  readonly #bytesMax: number;
  #bytes = 0;
  #values: unknown[] | undefined = [];

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** `undefined` when it became too large. */
  get values(): readonly unknown[] | undefined {
    return this.#values;
  }

  add(chunk: Chunk): void {
    if (this.#values === undefined) return;
    // A copy, because the consumer may change what it is handed.
    const { value, bytes } = plainCopy(chunk.value);
    this.#bytes += Math.max(CHUNK_BYTES_MIN, bytes);
    if (this.#bytes > this.#bytesMax) this.#values = undefined;
    else this.#values.push(value);
  }
}
