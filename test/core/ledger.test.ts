import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type AccountBalance, type Certainty, type Lease, Ledger } from "../../src/core/index.ts";

const RESOURCES = ["requests", "inputTokens", "outputTokens", "money", "slots"] as const;
const step = fc.oneof(
  fc.record({
    do: fc.constant("reserve" as const),
    resource: fc.constantFrom(...RESOURCES),
    amount: fc.integer({ min: 0, max: 5_000 }),
  }),
  fc.record({ do: fc.constant("add" as const), lease: fc.nat(), amount: fc.integer({ min: 0, max: 5_000 }) }),
  fc.record({
    do: fc.constant("settle" as const),
    lease: fc.nat(),
    used: fc.option(fc.integer({ min: 0, max: 9_000 }), { nil: undefined }),
    certainty: fc.constantFrom<Certainty>("exact", "atLeast", "estimated"),
  }),
  fc.record({ do: fc.constant("refund" as const), lease: fc.nat() }),
);

const settledSum = ({ settledAs: { exact, atLeast, estimated } }: AccountBalance): number =>
  exact + atLeast + estimated;

describe("the ledger", () => {
  it("conserves at every moment, whatever is reserved, added, settled twice, over or under, or given back", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const ledger = new Ledger();
        const leases: { readonly lease: Lease; readonly resource: string }[] = [];
        const open = new Map<Lease, number>();
        for (const one of steps) {
          if (one.do === "reserve") {
            const lease = ledger.account(one.resource).reserve(one.amount);
            leases.push({ lease, resource: one.resource });
            open.set(lease, one.amount);
          } else if (leases.length > 0) {
            const { lease } = leases[one.lease % leases.length] as (typeof leases)[number];
            const held = open.get(lease);
            if (one.do === "add") {
              expect(lease.add(one.amount)).toBe(held !== undefined);
              if (held !== undefined) open.set(lease, held + one.amount);
            } else {
              const first = one.do === "refund" ? lease.refund() : lease.settle(one.used, one.certainty);
              expect(first).toBe(held !== undefined);
              open.delete(lease);
            }
          }
          for (const [resource, balance] of Object.entries(ledger.balances())) {
            const { reserved, settled, refunded, inFlight } = balance;
            expect(settled + refunded + inFlight).toBe(reserved);
            expect(settledSum(balance)).toBe(settled);
            const parts = resource === "tokens" ? ["inputTokens", "outputTokens"] : [resource];
            const held = leases
              .filter((other) => parts.includes(other.resource))
              .map(({ lease }) => open.get(lease) ?? 0);
            expect(inFlight).toBe(held.reduce((sum, amount) => sum + amount, 0));
          }
        }
      }),
      { numRuns: 200 },
    );
  });

  it("keeps input and output tokens in the book of all tokens too", () => {
    const ledger = new Ledger();
    const input = ledger.account("inputTokens").reserve(100);
    const output = ledger.account("outputTokens").reserve(50);
    output.add(30);
    expect(ledger.account("tokens").balance).toMatchObject({ reserved: 180, inFlight: 180 });
    input.settle(90);
    output.settle(100, "atLeast");
    expect(ledger.balances()["tokens"]).toEqual({
      reserved: 200,
      settled: 190,
      refunded: 10,
      inFlight: 0,
      settledAs: { exact: 90, atLeast: 100, estimated: 0 },
    });
  });
});
