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

  /** Ends the lease with what was really used; the rest is refunded, an excess is added. Says whether it was the first. */
  settle(used: number = this.#amount): boolean {
    if (!this.#open) return false;
    this.#open = false;
    this.#account.close(this.#amount, used);
    return true;
  }

  /** Ends the lease as if it had never been. */
  refund(): boolean {
    return this.settle(0);
  }
}

/** The book of one resource: slots, permits, requests, tokens. */
export class Account {
  #reserved = 0;
  #settled = 0;
  #refunded = 0;
  #inFlight = 0;

  reserve(amount: number): Lease {
    this.#reserved += amount;
    this.#inFlight += amount;
    return new Lease(this, amount);
  }

  /** Called by the lease. */
  close(reserved: number, used: number): void {
    this.#inFlight -= reserved;
    if (used > reserved) this.#reserved += used - reserved;
    else this.#refunded += reserved - used;
    this.#settled += used;
  }

  get balance(): AccountBalance {
    return { reserved: this.#reserved, settled: this.#settled, refunded: this.#refunded, inFlight: this.#inFlight };
  }
}

/** All accounts of one optimizer, by resource. */
export class Ledger {
  #accounts = new Map<string, Account>();

  /** The account of `resource`, made on first use. Names are few and fixed: `slots`, `permits`, `requests`, `tokens`. */
  account(resource: string): Account {
    let account = this.#accounts.get(resource);
    if (account === undefined) {
      account = new Account();
      this.#accounts.set(resource, account);
    }
    return account;
  }

  balances(): Record<string, AccountBalance> {
    return Object.fromEntries([...this.#accounts].map(([resource, account]) => [resource, account.balance]));
  }
}
