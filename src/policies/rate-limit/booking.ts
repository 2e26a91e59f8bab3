import { type Ending, type Lease, type Runtime, tokensSpent } from "../../core/index.ts";
import type { Estimate } from "../../tokens/index.ts";
import { costOf } from "./accounting.ts";
import type { Cost } from "./meter.ts";

/** What one admitted call holds in the ledger: a request, and its tokens as they are expected. */
export class Booking {
  readonly #estimate: Estimate;
  readonly #requests: Lease;
  readonly #input: Lease;
  readonly #output: Lease;

  constructor({ ledger }: Runtime, estimate: Estimate) {
    this.#estimate = estimate;
    this.#requests = ledger.account("requests").reserve(1);
    this.#input = ledger.account("inputTokens").reserve(estimate.input);
    this.#output = ledger.account("outputTokens").reserve(estimate.output);
  }

  /** Output tokens that are held for it now. */
  get outputHeld(): number {
    return this.#output.amount;
  }

  /** Reserves more for an answer that grows longer than expected. */
  topUp(outputTokens: number): void {
    this.#output.add(outputTokens);
  }

  /** Settles with what was really used, and tells it. */
  settle(ending: Ending): Cost {
    // Refused further in: it never left. A reply that a deadline of ours ended did.
    const requests = ending.fault?.kind === "refused" && ending.chunks === undefined ? 0 : 1;
    const { inputTokens, outputTokens, certainty } = tokensSpent(ending, this.#estimate.input, this.outputHeld);
    this.#requests.settle(requests);
    this.#input.settle(inputTokens, certainty);
    this.#output.settle(outputTokens, certainty);
    return costOf(requests, inputTokens, outputTokens);
  }
}
