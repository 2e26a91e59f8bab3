import {
  broken,
  type Call,
  type Chunk,
  type ChunkSource,
  type ChunkStream,
  type Continuation,
  type Fault,
  faultOf,
  interrupted,
  type Outcome,
  type Settlement,
  type Usage,
} from "../../core/index.ts";

/** What a stream that may be resumed needs of whoever makes tries. */
export interface Resumer {
  /** How it goes on after content was given. */
  readonly how: "restart" | "continue";
  /** Makes the next try, as `call`: a stream that has reached its commit point, or why there is none. */
  again(call: Call, fault: Fault): Promise<Outcome>;
  /** The next try is there; nothing of it was handed out yet. `false`: its caller does not want it. */
  resumed(given: number, fault: Fault): boolean;
}

// More text than this is not kept, and so cannot be continued.
const TEXT_CHARS_MAX = 1_000_000;

/**
 * The chunks of an answer whose first stream may fail after content: then another one takes its place, from its beginning
 * or from where the first broke off. What was put together of two tries is never told to be storable, and its usage is
 * that of all tries as far as they told it.
 */
export class ResumingSource implements ChunkSource {
  readonly #call: Call;
  readonly #resumer: Resumer;
  #stream: ChunkStream;
  #resumed = false;
  /** Chunks of content that were handed out since the answer last began. */
  #given = 0;
  /** What they said; `undefined`: that cannot be told. */
  #text: string | undefined = "";
  #continuation: Continuation | undefined;
  /** To be handed out before anything else. */
  #ready: Chunk[] = [];
  /** How it ends once `#ready` is handed out. */
  #end: Settlement | undefined;
  #usage: Usage | undefined;
  #left = false;

  constructor(call: Call, stream: ChunkStream, resumer: Resumer) {
    this.#call = call;
    this.#stream = stream;
    this.#resumer = resumer;
  }

  async pull(): Promise<Chunk | Settlement> {
    for (;;) {
      const ready = this.#ready.shift();
      if (ready !== undefined) return this.#handedOut(ready);
      if (this.#end !== undefined) return this.#end;
      const chunk = await this.#stream.next();
      if (chunk === undefined || chunk.role === "failure") await this.#over(chunk);
      else this.#came(chunk);
    }
  }

  cancel(reason: Fault): Settlement | undefined {
    this.#left = true;
    this.#stream.fail(reason);
    const { value } = this.#stream.settled;
    if (value === undefined) return undefined;
    // The answer may be complete, but not for a reader who leaves before all of it was handed out.
    const hasAll = this.#ready.length === 0 && this.#stream.heldCount === 0;
    return this.#combined(value.fault === undefined && !hasAll ? broken(reason, value.usage) : value);
  }

  #came(chunk: Chunk): void {
    if (this.#continuation === undefined) {
      this.#ready.push(chunk);
      return;
    }
    try {
      this.#ready.push(...this.#continuation.accept(chunk));
    } catch (error) {
      // What comes is no continuation: the failure that made it necessary is told instead.
      this.#stream.fail(faultOf({ kind: "malformed", retryable: false, error }));
    }
  }

  #handedOut(chunk: Chunk): Chunk {
    if (chunk.role !== "content") return chunk;
    this.#given++;
    if (this.#resumer.how === "continue" && this.#text !== undefined) {
      const text = this.#call.wire.contentText?.(this.#call, chunk.value);
      this.#text = text === undefined || this.#text.length > TEXT_CHARS_MAX ? undefined : this.#text + text;
    }
    return chunk;
  }

  /** The stream is over, or has told in `failure` that it failed. */
  async #over(failure: Chunk | undefined): Promise<void> {
    // Nothing good can follow, and the provider may leave the connection open.
    if (failure !== undefined) this.#stream.fail(interrupted("The provider told a failure in its stream."));
    const settlement = this.#stream.settled.value as Settlement;
    const { fault } = settlement;
    if (fault !== undefined && !this.#left && (await this.#resume(fault, settlement))) return;
    this.#end = this.#combined(settlement);
    // Told once, and only when it is the end of the answer.
    if (failure !== undefined) this.#ready.push(failure);
  }

  async #resume(fault: Fault, { usage }: Settlement): Promise<boolean> {
    const call = this.#nextCall();
    if (call === undefined) return false;
    const outcome = await this.#resumer.again(call, { ...fault, committed: false });
    if (!outcome.ok || outcome.body.kind !== "stream") return false;
    if (this.#left || !this.#resumer.resumed(this.#given, fault)) {
      outcome.body.fail(interrupted("Nobody reads on."));
      return false;
    }
    this.#usage = sum(this.#usage, usage);
    this.#stream = outcome.body;
    this.#resumed = true;
    if (this.#resumer.how === "restart") this.#given = 0;
    return true;
  }

  #nextCall(): Call | undefined {
    this.#continuation = undefined;
    if (this.#resumer.how === "restart" || this.#given === 0) return this.#call;
    const { wire } = this.#call;
    this.#continuation = this.#text === undefined ? undefined : wire.continuation?.(this.#call, this.#text);
    return this.#continuation?.call;
  }

  #combined(settlement: Settlement): Settlement {
    if (!this.#resumed) return settlement;
    return { ...settlement, storable: false, usage: sum(this.#usage, settlement.usage) };
  }
}

function sum(a: Usage | undefined, b: Usage | undefined): Usage | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return { inputTokens: a.inputTokens + b.inputTokens, outputTokens: a.outputTokens + b.outputTokens };
}
