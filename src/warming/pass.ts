import { Cancellation, type Clock, isBreakwaterError, OptionError } from "../core/index.ts";
import type { Optimizer } from "../optimizer.ts";
import { readWhole } from "./answer.ts";
import { type CallWatch, ItemCalls, type ItemOutcome, watchCalls } from "./item-calls.ts";
import type { WarmSettings } from "./options.ts";
import { Pauses, pause } from "./pauses.ts";
import { newTally, progressOf, type Tally, type WarmProgress } from "./progress.ts";
import { type OpenSource, openSource } from "./source.ts";

/**
 * How it ended: with the last item; because it was stopped or its optimizer closed; because for longer than `patience`
 * there was nothing but refusals; because the source failed.
 */
export type WarmEnding = "completed" | "stopped" | "refused" | "failed";

export type WarmedOptimizer = Pick<Optimizer, "on" | "run" | "line">;

// Hits wait for nothing: many in a row would hold up the process.
const ITEMS_A_TURN = 32;
const CAUSES_MAX = 8;

/** One way through the source. */
export class Pass {
  readonly number: number;
  readonly tally: Tally = newTally();
  readonly startedAt: number;
  /** What the source failed with. */
  error: unknown;
  readonly #optimizer: WarmedOptimizer;
  readonly #settings: WarmSettings;
  readonly #cancellation: Cancellation;
  readonly #ended: (pass: Pass) => void;
  readonly #clock: Clock;
  readonly #pauses: Pauses;
  /** Cancelled when the pass is over for whatever reason: nobody waits any longer. */
  readonly #over = new Cancellation();
  #total: number | undefined;
  #taken = 0;
  /** Everybody waits for it, or those who do not would leave nobody else a turn. */
  #turn: Promise<void> | undefined;
  #ending: WarmEnding | undefined;
  #endedAt: number | undefined;

  /** `ended` runs after each item. */
  constructor(
    number: number,
    optimizer: WarmedOptimizer,
    settings: WarmSettings,
    cancellation: Cancellation,
    ended: (pass: Pass) => void,
  ) {
    this.number = number;
    this.#optimizer = optimizer;
    this.#settings = settings;
    this.#cancellation = cancellation;
    this.#ended = ended;
    this.#clock = optimizer.line.runtime.clock;
    this.startedAt = this.#clock.now();
    this.#pauses = new Pauses(this.#clock, this.#over);
  }

  progress(): WarmProgress {
    const elapsedMs = (this.#endedAt ?? this.#clock.now()) - this.startedAt;
    return progressOf(this.number, this.tally, this.#total, elapsedMs);
  }

  /** Ends when everything under way has. Never rejects. */
  async run(): Promise<WarmEnding> {
    const off = this.#cancellation.onCancel(() => this.#end("stopped"));
    const watch = watchCalls(this.#optimizer);
    try {
      const opening = openSource("warm.calls", this.#settings.source);
      const source = await this.#unlessOver(opening);
      if (source === undefined) opening.then((late) => late.close()).catch(() => {});
      else await this.#takeAll(source, watch);
    } catch (error) {
      this.#end("failed", error);
    }
    watch.stop();
    off();
    this.#endedAt = this.#clock.now();
    return this.#ending ?? "completed";
  }

  async #takeAll(source: OpenSource<unknown>, watch: CallWatch): Promise<void> {
    this.#total = source.total;
    await Promise.all(Array.from({ length: this.#settings.concurrency }, () => this.#work(source, watch)));
    source.close();
  }

  async #work(source: OpenSource<unknown>, watch: CallWatch): Promise<void> {
    try {
      for (;;) {
        await this.#pauses.wait();
        if (++this.#taken % ITEMS_A_TURN === 0) this.#turn = pause(this.#clock, 0, this.#over);
        await this.#turn;
        const next = this.#ending === undefined ? await this.#unlessOver(source.take()) : undefined;
        if (next === undefined || next.done === true || this.#ending !== undefined) return;
        await this.#warm(this.#thunk(next.value), watch);
      }
    } catch (error) {
      this.#end("failed", error);
    }
  }

  #thunk(item: unknown): () => unknown {
    const { ask } = this.#settings;
    const context = { signal: this.#cancellation.signal };
    if (typeof item === "function") return () => item(context);
    if (ask === undefined) throw new OptionError("warm.ask", undefined, "a function, for items that are none");
    return () => ask(item, context);
  }

  async #warm(thunk: () => unknown, watch: CallWatch): Promise<void> {
    let refusedFrom: number | undefined;
    while (this.#ending === undefined) {
      const calls = new ItemCalls();
      const outcome = await this.#ask(thunk, calls, watch);
      this.tally.costTokens += calls.tokens;
      // What was cut off has neither succeeded nor failed.
      if (this.#cancellation.cancelled || this.#ending === "stopped") return;
      if (outcome !== "refused") return this.#count(outcome);
      const now = this.#clock.now();
      refusedFrom ??= now;
      const pauseMs = this.#pauses.refused(calls.retryAfterMs);
      if (now + pauseMs - refusedFrom > this.#settings.patienceMs) return this.#giveUp(refusedFrom);
      await this.#pauses.wait();
    }
  }

  async #ask(thunk: () => unknown, calls: ItemCalls, watch: CallWatch): Promise<ItemOutcome> {
    try {
      await watch.run(calls, () => this.#optimizer.run(this.#settings.scope, async () => readWhole(await thunk())));
      return calls.outcome(false);
    } catch (error) {
      if (cameFromClosed(error)) this.#end("stopped");
      return calls.outcome(true);
    }
  }

  #giveUp(refusedFrom: number): void {
    // If others are let through, it is this one that is not wanted.
    if (this.#pauses.acceptedAt < refusedFrom) this.#end("refused");
    else this.#count("failed");
  }

  #count(outcome: Exclude<ItemOutcome, "refused">): void {
    const count = { hit: "hits", filled: "filled", skipped: "skipped", failed: "failed" } as const;
    this.tally[count[outcome]]++;
    if (outcome !== "failed") this.#pauses.accepted();
    this.#ended(this);
  }

  #end(ending: WarmEnding, error?: unknown): void {
    if (this.#ending !== undefined) return;
    this.#ending = ending;
    this.error = error;
    this.#over.cancel(undefined);
  }

  /** What `promise` gives; `undefined` when the pass is over before. */
  #unlessOver<T>(promise: Promise<T>): Promise<T | undefined> {
    return new Promise((resolve, reject) => {
      const off = this.#over.onCancel(() => resolve(undefined));
      promise.then(resolve, reject).finally(() => off());
    });
  }
}

function cameFromClosed(error: unknown): boolean {
  let current = error;
  for (let depth = 0; depth < CAUSES_MAX && typeof current === "object" && current !== null; depth++) {
    if (isBreakwaterError(current) && current.code === "CLOSED") return true;
    current = (current as { readonly cause?: unknown }).cause;
  }
  return false;
}
