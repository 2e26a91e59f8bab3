import type { Optimizer } from "../../src/optimizer.ts";
import { cached, invalidates } from "../../src/wrappers/index.ts";

/** Node strips types but does not know decorators yet: this file is compiled before it runs. */
export function classesOn(optimizer: Optimizer) {
  class Prices {
    readonly #rate: number;
    static loads = 0;
    loads = 0;

    constructor(rate: number) {
      this.#rate = rate;
    }

    @cached({ optimizer, ttl: "1h", tags: (id: string) => [`price:${id}`] })
    async priceOf(id: string): Promise<{ id: string; cents: number }> {
      this.loads++;
      return { id, cents: 100 * this.#rate };
    }

    @cached({
      optimizer,
      key(this: Prices, id: string) {
        return [this.#rate, id];
      },
    })
    async ownPriceOf(id: string): Promise<number> {
      this.loads++;
      return id.length * this.#rate;
    }

    @invalidates({ optimizer, tags: ({ args: [id] }: { args: [string, number] }) => [`price:${id}`] })
    async setPrice(_id: string, _cents: number): Promise<void> {}

    @cached({ optimizer })
    static async currency(country: string): Promise<string> {
      Prices.loads++;
      return `${country}-dollar`;
    }

    @cached({ optimizer })
    async #secret(id: string): Promise<string> {
      this.loads++;
      return `${id}!`;
    }

    secret(id: string): Promise<string> {
      return this.#secret(id);
    }
  }

  class Costs {
    loads = 0;

    @cached({ optimizer })
    async #secret(id: string): Promise<string> {
      this.loads++;
      return `${id}!`;
    }

    secret(id: string): Promise<string> {
      return this.#secret(id);
    }
  }
  return { Prices, Costs };
}
