import type { Cancellation, Runtime } from "../../core/index.ts";
import type { Failures } from "./failures.ts";
import { limited } from "./limited.ts";
import type { JudgedPair, SemanticOptions } from "./options.ts";

const AT_ONCE = 8;

/** Runs the user's judge behind the calls, a bounded number of times at once. */
export class Judging {
  /** Pairs that found too many others before them. */
  dropped = 0;
  running = 0;
  readonly #judge: SemanticOptions["judge"];
  readonly #failures: Failures;
  readonly #closing: Cancellation;
  readonly #runtime: Runtime;

  constructor(judge: SemanticOptions["judge"], failures: Failures, closing: Cancellation, runtime: Runtime) {
    this.#judge = judge;
    this.#failures = failures;
    this.#closing = closing;
    this.#runtime = runtime;
  }

  /** Whether the cached answer would have done; `undefined` when nobody can say. */
  async ask(pair: JudgedPair, ms: number): Promise<boolean | undefined> {
    const judge = this.#judge;
    if (judge === undefined) return undefined;
    // Which ones are dropped has nothing to do with the pair, so the others are still a fair sample.
    if (this.running >= AT_ONCE) {
      this.dropped++;
      return undefined;
    }
    this.running++;
    const ended = await limited(this.#runtime.clock, {
      ms,
      cancellation: this.#closing,
      waits: false,
      run: (signal) => judge(pair, { signal }),
    });
    this.running--;
    if ("value" in ended && typeof ended.value === "boolean") return ended.value;
    this.#failures.add("judge", "error" in ended ? ended.error : "NOT_A_BOOLEAN");
    return undefined;
  }
}
