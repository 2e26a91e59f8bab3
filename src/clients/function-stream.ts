import {
  aborted,
  broken,
  type Call,
  type Cancellation,
  type Chunk,
  type ChunkSource,
  type ChunkStream,
  type Fault,
  type Settlement,
  type Usage,
  whole,
} from "../core/index.ts";
import { usageOf } from "./function-usage.ts";
import { thrownFor } from "./thrown.ts";

export function isAsyncIterable(value: unknown): value is AsyncIterable<unknown> {
  return typeof value === "object" && value !== null && Symbol.asyncIterator in value;
}

/** The chunks of what a function yields. Its end is taken for whole: nothing else tells. */
export class YieldedSource implements ChunkSource {
  #call: Call;
  #iterator: AsyncIterator<unknown>;
  #cancellation: Cancellation;
  #judge: (error: unknown) => Fault;
  #usage: Usage | undefined;

  /** `cancellation` is what the function listens to: a generator that waits cannot be returned from outside. */
  constructor(
    call: Call,
    values: AsyncIterable<unknown>,
    cancellation: Cancellation,
    judge: (error: unknown) => Fault,
  ) {
    this.#call = call;
    this.#iterator = values[Symbol.asyncIterator]();
    this.#cancellation = cancellation;
    this.#judge = judge;
  }

  async pull(): Promise<Chunk | Settlement> {
    try {
      const { done, value } = await this.#iterator.next();
      if (done === true) return this.#end();
      this.#usage = usageOf(value) ?? this.#usage;
      return { role: "content", value };
    } catch (error) {
      return broken(this.#judge(error), this.#usage);
    }
  }

  #end(): Settlement {
    const { foreign, via, model } = this.#call;
    return whole({ storable: !foreign, usage: this.#usage, model: via === undefined ? undefined : model });
  }

  cancel(reason: Fault): Settlement {
    this.#cancellation.cancel(reason.error);
    void closeIterator(this.#iterator);
    return broken(reason, this.#usage);
  }
}

/** Closes what nobody will read on; what it throws then concerns nobody. */
export async function closeIterator(values: AsyncIterable<unknown> | AsyncIterator<unknown>): Promise<void> {
  try {
    const iterator = Symbol.asyncIterator in values ? values[Symbol.asyncIterator]() : values;
    await iterator.return?.();
  } catch {}
}

/** A stream as its caller iterates it. Leaving early ends the call; a failure on the way is thrown once. */
export class Yielded implements AsyncIterableIterator<unknown> {
  #call: Call;
  #stream: ChunkStream;
  /** `next` may be called again before it has answered; the stream gives one chunk at a time. */
  #last: Promise<unknown> = Promise.resolve();
  #over = false;

  constructor(call: Call, stream: ChunkStream) {
    this.#call = call;
    this.#stream = stream;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<IteratorResult<unknown, undefined>> {
    const answer = this.#last.then(() => this.#next());
    this.#last = answer.catch(() => {});
    return answer;
  }

  async return(): Promise<IteratorResult<unknown, undefined>> {
    this.#over = true;
    this.#stream.fail(aborted(new DOMException("The reader left.", "AbortError")));
    return { done: true, value: undefined };
  }

  async #next(): Promise<IteratorResult<unknown, undefined>> {
    const chunk = this.#over ? undefined : await this.#stream.next();
    if (chunk !== undefined) return { done: false, value: chunk.value };
    const fault = this.#over ? undefined : this.#stream.settled.value?.fault;
    this.#over = true;
    if (fault !== undefined) throw thrownFor(this.#call, fault);
    return { done: true, value: undefined };
  }
}
