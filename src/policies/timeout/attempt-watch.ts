import {
  type Call,
  type Cancellation,
  type Chunk,
  contentTokens,
  type Fault,
  type Next,
  type Outcome,
  type Reply,
  type Runtime,
  type TimeoutPhase,
  type Timer,
  timedOut,
  type Unsubscribe,
} from "../../core/index.ts";
import { AttemptClocks, type AttemptLimits } from "./attempt-clocks.ts";

/** Who wants to know how attempts went. */
export interface WatchObserver {
  /** The first content of a stream came, after so much waiting for the provider. */
  spoke(call: Call, afterMs: number): void;
  ended(call: Call, fired: TimeoutPhase | undefined, limitMs: number): void;
}

/** Watches one attempt from its start to the end of its body, with at most one timer armed. */
export class AttemptWatch {
  readonly #runtime: Runtime;
  readonly #call: Call;
  readonly #clocks: AttemptClocks;
  readonly #cancellation: Cancellation;
  readonly #release: Unsubscribe;
  readonly #observer: WatchObserver;
  #timer: Timer | undefined;
  #armedFor = Number.POSITIVE_INFINITY;
  #answer: ((outcome: Outcome) => void) | undefined;
  #reply: Reply | undefined;
  #fault: Fault | undefined;
  #ended = false;

  constructor(limits: AttemptLimits, runtime: Runtime, call: Call, observer: WatchObserver) {
    this.#runtime = runtime;
    this.#call = call;
    this.#clocks = new AttemptClocks(limits, runtime.clock.now(), call.stream);
    this.#observer = observer;
    const child = call.cancellation.child();
    this.#cancellation = child.cancellation;
    this.#release = child.release;
  }

  /** Runs the attempt. Settles when a timer fires, even if the rest of the line does not listen to its cancellation. */
  run(next: Next): Promise<Outcome> {
    return new Promise((resolve) => {
      this.#answer = resolve;
      this.#arm();
      void next(this.#call.with({ cancellation: this.#cancellation })).then((outcome) => this.#arrived(outcome));
    });
  }

  #arrived(outcome: Outcome): void {
    if (this.#fault !== undefined) {
      if (outcome.ok && outcome.body.kind === "stream") outcome.body.fail(this.#fault);
      return;
    }
    if (!outcome.ok) {
      this.#end(undefined);
    } else {
      this.#reply = outcome;
      if (outcome.body.kind === "stream") this.#follow(outcome.body);
      outcome.settled.subscribe(() => this.#end(undefined));
    }
    this.#answer?.(outcome);
  }

  #follow(stream: Extract<Reply["body"], { kind: "stream" }>): void {
    const { clock } = this.#runtime;
    this.#clocks.streamBegan(clock.now());
    stream.observe({
      pulled: () => {
        this.#clocks.pulled(clock.now());
        this.#arm();
      },
      chunk: (chunk) => this.#came(chunk, clock.now()),
    });
    this.#arm();
  }

  #came(chunk: Chunk, now: number): void {
    const measured = chunk.role === "content" && this.#clocks.limits.speed < Number.POSITIVE_INFINITY;
    const waitedMs = this.#clocks.chunk(chunk.role, measured ? contentTokens(this.#call, chunk) : 0, now);
    if (waitedMs !== undefined) this.#observer.spoke(this.#call, waitedMs);
  }

  // A timer that is due too early is left alone: it looks again when it fires.
  #arm(): void {
    if (this.#ended) return;
    const { at } = this.#clocks.due;
    if (at >= this.#armedFor) return;
    this.#timer?.cancel();
    this.#armedFor = at;
    this.#timer = this.#runtime.clock.timer(at - this.#runtime.clock.now(), () => this.#look());
  }

  #look(): void {
    this.#timer = undefined;
    this.#armedFor = Number.POSITIVE_INFINITY;
    const { phase, at } = this.#clocks.due;
    if (at > this.#runtime.clock.now()) this.#arm();
    else this.#fire(phase);
  }

  #fire(phase: TimeoutPhase): void {
    const limitMs = this.#clocks.limits[phase];
    const elapsedMs = this.#runtime.clock.now() - this.#clocks.startedAt;
    const fault = timedOut(phase, limitMs);
    this.#fault = fault;
    this.#runtime.events.emit("timeout.fired", this.#call, { phase, limitMs, elapsedMs });
    this.#end(phase, limitMs);
    const body = this.#reply?.body;
    // The body first: it would take the cancellation for the caller's.
    if (body?.kind === "stream") body.fail(fault);
    else this.#answer?.(fault);
    this.#cancellation.cancel(fault.error);
  }

  #end(fired: TimeoutPhase | undefined, limitMs = 0): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#release();
    this.#observer.ended(this.#call, fired, limitMs);
  }
}
