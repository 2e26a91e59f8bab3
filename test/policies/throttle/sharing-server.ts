import {
  broken,
  type Call,
  type Chunk,
  ChunkStream,
  type Fault,
  faultOf,
  type Outcome,
  type Random,
  type Runtime,
  type Settlement,
  streamReply,
  type Timer,
  valueReply,
  whole,
} from "../../../src/core/index.ts";

export interface ServerOptions {
  /** Calls it can work on at full speed. */
  capacity: number;
  /** Tokens a second for each call at full speed. */
  speed: number;
  /** Mean length of an answer. */
  meanTokens: number;
  /** Lengths are spread evenly from half of the mean to one and a half of it; else they are exponential-like. */
  evenLengths?: boolean;
  /** Share by which the speed of single calls differs. */
  noise: number;
  /** Calls at once beyond which it answers "overloaded". */
  rejectBeyond: number;
}

const FIRST_TOKEN_SECONDS = 0.3;

interface Active {
  /** The server's work, in tokens per call, at which this one is done. */
  readonly doneAt: number;
  readonly finish: () => void;
}

/**
 * A provider that shares its speed among all calls it works on: up to `capacity` each runs at full speed, beyond it
 * every call slows down in proportion (processor sharing). Options may change while it runs.
 */
export class SharingServer {
  options: ServerOptions;
  finished = 0;
  tokensOut = 0;
  rejected = 0;
  readonly #runtime: Runtime;
  readonly #random: Random;
  #active: Active[] = [];
  #work = 0;
  #workedUntil = 0;
  #deaths = 0;
  #timer: Timer | undefined;

  constructor(runtime: Runtime, options: ServerOptions) {
    this.#runtime = runtime;
    this.#random = runtime.random;
    this.options = options;
  }

  get inFlight(): number {
    return this.#active.length;
  }

  /** Breaks off every call that is under way. */
  die(): void {
    this.#catchUp();
    this.#deaths++;
    const active = this.#active;
    this.#active = [];
    for (const { finish } of active) finish();
    this.#schedule();
  }

  /** Changes the options; what was done until now stays done at the old speed. */
  change(options: Partial<ServerOptions>): void {
    this.#catchUp();
    this.options = { ...this.options, ...options };
    this.#schedule();
  }

  /** A `send` that streams the answer, or gives it whole. */
  readonly send = async (call: Call): Promise<Outcome> => {
    const { evenLengths = false, meanTokens, noise, rejectBeyond, speed } = this.options;
    const deaths = this.#deaths;
    if (this.#active.length >= rejectBeyond) {
      this.rejected++;
      return faultOf({ kind: "overloaded", status: 529, error: new Error("overloaded") });
    }
    const chance = this.#random();
    const length = evenLengths ? 0.5 + chance : 0.5 - 0.5 * Math.log(1 - chance * 0.98);
    const outputTokens = Math.max(8, Math.round(meanTokens * length));
    const slow = 1 + noise * (2 * this.#random() - 1);
    const usage = { inputTokens: 100, outputTokens };
    const done = (): void => {
      this.finished++;
      this.tokensOut += outputTokens;
    };
    const firstTokens = speed * FIRST_TOKEN_SECONDS;
    if (!call.stream) {
      await this.#worked((outputTokens + firstTokens) * slow);
      if (this.#deaths > deaths) return brokenOff();
      done();
      return valueReply("answer", whole({ usage }));
    }
    const decode = [firstTokens, outputTokens * slow];
    const pull = async (): Promise<Chunk | Settlement> => {
      const tokens = decode.shift();
      if (tokens !== undefined) await this.#worked(tokens);
      if (this.#deaths > deaths) return broken(brokenOff());
      if (tokens === firstTokens) return { role: "content", value: "a" };
      done();
      return whole({ usage });
    };
    return streamReply(new ChunkStream({ pull, cancel: () => {} }));
  };

  #worked(tokens: number): Promise<void> {
    this.#catchUp();
    return new Promise((resolve) => {
      this.#active.push({ doneAt: this.#work + tokens, finish: resolve });
      this.#schedule();
    });
  }

  #rate(): number {
    const { speed, capacity } = this.options;
    return (speed * Math.min(1, capacity / Math.max(1, this.#active.length))) / 1000;
  }

  #catchUp(): void {
    const now = this.#runtime.clock.now();
    this.#work += (now - this.#workedUntil) * this.#rate();
    this.#workedUntil = now;
  }

  #schedule(): void {
    this.#timer?.cancel();
    if (this.#active.length === 0) return;
    let next = Number.POSITIVE_INFINITY;
    for (const { doneAt } of this.#active) next = Math.min(next, doneAt);
    this.#timer = this.#runtime.clock.timer(Math.max(0, (next - this.#work) / this.#rate()), () => this.#complete());
  }

  #complete(): void {
    this.#catchUp();
    const due = this.#active.filter(({ doneAt }) => doneAt <= this.#work + 1e-6);
    this.#active = this.#active.filter((active) => !due.includes(active));
    for (const { finish } of due) finish();
    this.#schedule();
  }
}

function brokenOff(): Fault {
  return faultOf({ kind: "network", error: new Error("connection reset") });
}
