import type { Lease, Runtime, Settlement } from "../../core/index.ts";
import type { Estimate } from "./estimator.ts";
import type { Cost } from "./meter.ts";

/** What one admitted call holds in the ledger: one request and its estimated tokens. */
export class Booking {
  readonly cost: Cost;
  readonly #estimate: Estimate;
  readonly #requests: Lease;
  readonly #tokens: Lease;

  constructor({ ledger }: Runtime, estimate: Estimate, cost: Cost) {
    this.cost = cost;
    this.#estimate = estimate;
    this.#requests = ledger.account("requests").reserve(cost.requests);
    this.#tokens = ledger.account("tokens").reserve(cost.tokens);
  }

  /** Settles with what was really used, and tells it. `chunks` is how much of a reply came; `undefined` without one. */
  settle(settlement: Pick<Settlement, "fault" | "usage">, chunks: number | undefined): Cost {
    const used = {
      // Refused further in: it never left. A reply that a deadline of ours ended did.
      requests: settlement.fault?.kind === "refused" && chunks === undefined ? 0 : this.cost.requests,
      tokens: tokensUsed(settlement, this.#estimate, chunks),
    };
    this.#requests.settle(used.requests);
    this.#tokens.settle(used.tokens);
    return used;
  }
}

/** A call costs its estimate, before anything better is known. */
export function costOf(estimate: Estimate): Cost {
  return { requests: 1, tokens: estimate.input + estimate.output };
}

/**
 * The provider's own count, where there is one. Without it: a whole answer keeps the estimate; an answer that stopped
 * early, or that we stopped waiting for, costs its input and about a token for each chunk that came; a request that the
 * provider turned down costs no tokens.
 */
function tokensUsed(
  { fault, usage }: Pick<Settlement, "fault" | "usage">,
  estimate: Estimate,
  chunks: number | undefined,
): number {
  if (usage !== undefined) return usage.inputTokens + usage.outputTokens;
  if (fault === undefined) return estimate.input + estimate.output;
  const came = chunks ?? 0;
  const cutByUs =
    fault.kind === "aborted" || fault.kind === "timeout" || (fault.kind === "refused" && chunks !== undefined);
  const begun = came > 0 || cutByUs || fault.kind === "interrupted";
  return begun ? estimate.input + Math.min(estimate.output, came) : 0;
}
