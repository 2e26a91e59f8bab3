import { type Chunk, ChunkStream, type Reply } from "../../core/index.ts";
import { plainCopy } from "./plain-copy.ts";

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
    this.#bytes += bytes;
    if (this.#bytes > this.#bytesMax) this.#values = undefined;
    else this.#values.push(value);
  }
}

/**
 * The same reply with a body that can still be observed from its first chunk: a policy within may have read ahead,
 * and what it read does not pass the observers of that stream again.
 */
export function fromItsStart(reply: Reply): Reply {
  const { body } = reply;
  if (body.kind === "value" || (body.chunkCount === 0 && !body.settled.isOpen)) return reply;
  const relay = relayed(body);
  return { ...reply, body: relay, settled: relay.settled };
}

function relayed(inner: ChunkStream): ChunkStream {
  let pulling = false;
  const outer = new ChunkStream({
    async pull() {
      pulling = true;
      const item = (await inner.next()) ?? (await inner.settled.promise());
      pulling = false;
      return item;
    },
    cancel: (fault) => inner.fail(fault),
  });
  inner.settled.subscribe(({ fault }) => {
    if (fault !== undefined && !pulling) outer.fail(fault);
  });
  return outer;
}
