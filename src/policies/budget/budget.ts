import {
  aborted,
  BudgetExceededError,
  broken,
  type Call,
  dollarsFor,
  type Fault,
  type Lease,
  type ModelPrice,
  type Next,
  type Outcome,
  type Runtime,
  refusal,
  type Settlement,
  tokensSpent,
} from "../../core/index.ts";
import { type Estimate, TokenEstimator } from "../../tokens/index.ts";
import type { BudgetSettings } from "./options.ts";
import type { Purse, Shortage } from "./purse.ts";
import { Purses } from "./purses.ts";
import { type BudgetSnapshot, restoreSpent, spentOf } from "./snapshot.ts";

const UNPRICED_TOLD_MAX = 1_000;

/** One call that is being paid for. */
interface Purchase {
  readonly call: Call;
  readonly purses: readonly Purse[];
  readonly price: ModelPrice;
  readonly estimate: Estimate;
  readonly dollars: number;
  readonly lease: Lease;
}

/** Reserves, sends, settles. */
export class Budget {
  readonly #runtime: Runtime;
  readonly #estimator = new TokenEstimator();
  readonly #purses: Purses;
  readonly #unpricedTold = new Set<string>();
  #settings: BudgetSettings;
  #refused = 0;
  #unpriced = 0;

  constructor(settings: BudgetSettings, runtime: Runtime) {
    this.#settings = settings;
    this.#runtime = runtime;
    this.#purses = new Purses(settings, runtime.clock.wall());
  }

  handle(call: Call, next: Next): Promise<Outcome> {
    if (call.cancellation.cancelled) return Promise.resolve(aborted(call.cancellation.reason));
    const price = this.#settings.priceOf(call.model, call.provider);
    if (price === undefined) return this.#withoutPrice(call, next);
    const estimate = this.#estimator.estimate(call);
    const dollars = dollarsFor(price, { inputTokens: estimate.input, outputTokens: estimate.output });
    const wall = this.#runtime.clock.wall();
    const purses = this.#purses.of(call, wall);
    for (const purse of purses) {
      const shortage = purse.shortage(dollars, wall);
      if (shortage !== undefined) return Promise.resolve(this.#refuse(call, purse, shortage));
    }
    for (const purse of purses) purse.held += dollars;
    const lease = this.#runtime.ledger.account("money").reserve(dollars);
    return this.#send({ call, purses, price, estimate, dollars, lease }, next);
  }

  configure(settings: BudgetSettings): void {
    this.#settings = settings;
    this.#purses.configure(settings);
  }

  snapshot(): BudgetSnapshot {
    return {
      heldDollars: Math.max(0, this.#purses.global.held),
      refused: this.#refused,
      unpriced: this.#unpriced,
      spent: spentOf(this.#purses, this.#runtime.clock.wall()),
    };
  }

  restore(spent: unknown): void {
    restoreSpent(this.#purses, spent, this.#runtime.clock.wall());
  }

  async #send(purchase: Purchase, next: Next): Promise<Outcome> {
    const outcome = await next(purchase.call);
    if (!outcome.ok) {
      this.#settle(purchase, broken(outcome), undefined);
      return outcome;
    }
    const { body, settled } = outcome;
    settled.subscribe((settlement) => this.#settle(purchase, settlement, body.kind === "stream" ? body.chunkCount : 0));
    return outcome;
  }

  #settle(purchase: Purchase, settlement: Settlement, chunks: number | undefined): void {
    const { call, purses, estimate, dollars, lease } = purchase;
    const { fault, usage, model } = settlement;
    const { certainty, ...tokens } = tokensSpent({ fault, usage, chunks }, estimate.input, estimate.output);
    // An alias may have been resolved to a model with a price of its own.
    const answered = model === undefined ? undefined : this.#settings.priceOf(model, call.provider);
    const spent = dollarsFor(answered ?? purchase.price, tokens);
    lease.settle(spent, certainty);
    if (fault === undefined && usage !== undefined) this.#estimator.learn(call, usage);
    const { clock, events } = this.#runtime;
    for (const purse of purses) {
      purse.held -= dollars;
      for (const passed of purse.spend(spent, this.#settings.alertAt, clock.wall())) {
        events.emit("budget.threshold", call, {
          scope: purse.rank,
          name: purse.name,
          period: passed.period,
          share: passed.share,
          spentDollars: passed.spent,
          limitDollars: passed.limit,
        });
      }
      if (!events.wants("budget.updated")) continue;
      for (const { spending, limit } of purse.limited()) {
        events.emit("budget.updated", call, {
          scope: purse.rank,
          name: purse.name,
          period: spending.kind,
          spentDollars: spending.spent,
          limitDollars: limit,
        });
      }
    }
  }

  #withoutPrice(call: Call, next: Next): Promise<Outcome> {
    const { events } = this.#runtime;
    if (!this.#unpricedTold.has(call.model) && this.#unpricedTold.size < UNPRICED_TOLD_MAX) {
      this.#unpricedTold.add(call.model);
      events.emit("budget.unpriced", call, { action: this.#settings.unknownPrice });
    }
    if (this.#settings.unknownPrice === "allow") {
      this.#unpriced++;
      return next(call);
    }
    this.#refused++;
    events.emit("budget.rejected", call, {
      scope: "model",
      name: call.model,
      period: undefined,
      retryAfterMs: undefined,
    });
    const message = `The model ${call.model} has no price, and the budget refuses what it cannot count.`;
    return Promise.resolve(refusal(new BudgetExceededError(message, { policy: "budget" })));
  }

  #refuse(call: Call, { rank, name }: Purse, { period, limit, spent, held, retryAfterMs }: Shortage): Fault {
    this.#refused++;
    this.#runtime.events.emit("budget.rejected", call, { scope: rank, name, period, retryAfterMs });
    const whose = rank === "global" ? "this process" : `the ${rank} ${name}`;
    const reserved = held > 0 ? `, and $${held.toFixed(4)} are held for calls under way` : "";
    const message = `The budget of ${whose} has no money left for this call: $${spent.toFixed(4)} of $${limit} are spent this ${period}${reserved}.`;
    return refusal(new BudgetExceededError(message, { policy: "budget", retryAfterMs }));
  }
}
