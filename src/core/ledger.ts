/**
 * How sure an amount is that was settled: `exact` as the provider counted it, `atLeast` what was seen of a call that
 * was cut short, `estimated` where nobody told.
 */
export type Certainty = "exact" | "atLeast" | "estimated";

/** What a resource's account shows. Always: `reserved = settled + refunded + inFlight`. */
export interface AccountBalance {
  /** Everything ever reserved, later additions included. */
  readonly reserved: number;
  /** What was really used. */
  readonly settled: number;
  /** What was reserved and not used. */
  readonly refunded: number;
  /** What is reserved now. */
  readonly inFlight: number;
  /** `settled`, by how sure it is. */
  readonly settledAs: Readonly<Record<Certainty, number>>;
}

/** A reservation. It is settled exactly once; whatever comes later changes nothing. */
export class Lease {
  #account: Account;
  #amount: number;
  #open = true;

  constructor(account: Account, amount: number) {
    this.#account = account;
    this.#amount = amount;
  }

  get amount(): number {
    return this.#amount;
  }

  get isOpen(): boolean {
    return this.#open;
  }

  /** Reserves more, for what takes more than was expected. Says whether the lease was still open. */
  add(amount: number): boolean {
    if (!this.#open) return false;
    this.#amount += amount;
    this.#account.add(amount);
    return true;
  }

  /** Ends the lease with what was really used; the rest is refunded, an excess is added. Says whether it was the first. */
  settle(used: number = this.#amount, certainty: Certainty = "exact"): boolean {
    if (!this.#open) return false;
    this.#open = false;
    this.#account.close(this.#amount, used, certainty);
    return true;
  }

  /** Ends the lease as if it had never been. */
  refund(): boolean {
    return this.settle(0);
  }
}

/** The book of one resource. What is written in it is written in that of the `whole` too, if it is a part of one. */
export class Account {
  readonly #whole: Account | undefined;
  #reserved = 0;
  #refunded = 0;
  #inFlight = 0;
  #exact = 0;
  #atLeast = 0;
  #estimated = 0;

  constructor(whole?: Account) {
    this.#whole = whole;
  }

  reserve(amount: number): Lease {
    this.add(amount);
    return new Lease(this, amount);
  }

  /** Called by the lease. */
  add(amount: number): void {
    this.#reserved += amount;
    this.#inFlight += amount;
    this.#whole?.add(amount);
  }

  /** Called by the lease. */
  close(reserved: number, used: number, certainty: Certainty): void {
    this.#inFlight -= reserved;
    if (used > reserved) this.#reserved += used - reserved;
    else this.#refunded += reserved - used;
    if (certainty === "exact") this.#exact += used;
    else if (certainty === "atLeast") this.#atLeast += used;
    else this.#estimated += used;
    this.#whole?.close(reserved, used, certainty);
  }

  get balance(): AccountBalance {
    const settledAs = { exact: this.#exact, atLeast: this.#atLeast, estimated: this.#estimated };
    return {
      reserved: this.#reserved,
      settled: this.#exact + this.#atLeast + this.#estimated,
      refunded: this.#refunded,
      inFlight: this.#inFlight,
      settledAs,
    };
  }
}

const WHOLES: Readonly<Record<string, string>> = { inputTokens: "tokens", outputTokens: "tokens" };

/**
 * All accounts of one optimizer, by resource: `requests`, `inputTokens`, `outputTokens`, `tokens` (both together),
 * `money` (US dollars), `slots` and `permits`.
 */
export class Ledger {
  #accounts = new Map<string, Account>();

  /** The account of `resource`, made on first use. Names are few and fixed. */
  account(resource: string): Account {
    let account = this.#accounts.get(resource);
    if (account === undefined) {
      const whole = WHOLES[resource];
      account = new Account(whole === undefined ? undefined : this.account(whole));
      this.#accounts.set(resource, account);
    }
    return account;
  }

  balances(): Record<string, AccountBalance> {
    return Object.fromEntries([...this.#accounts].map(([resource, account]) => [resource, account.balance]));
  }
}
