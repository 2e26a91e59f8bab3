import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Outcome, valueReply, whole } from "../../../src/core/index.ts";
import { virtualRuntime } from "../../support/calls.ts";
import { benchOf, valueIn } from "./support/questions.ts";
import { ByteServer, mapTier, serverTier } from "./support/stores.ts";

/** Names that try to pass for one another: delimiters, prefixes, nothing at all. */
const name = fc.oneof(
  fc.constantFrom(
    "a",
    "a:",
    "a:b",
    "b",
    ":b",
    "a\u0000",
    "a/b",
    "A",
    "a ",
    "null",
    "undefined",
    "*",
    "%",
    "_",
    "é",
    "e\u0301",
  ),
  fc.string({ unit: "binary", minLength: 1, maxLength: 8 }),
);
const caller = fc.record({ credential: name, client: fc.option(name, { nil: undefined }) });

describe("callers of another credential or client", () => {
  it("never get one another's answers, through any tier", async () => {
    const { runtime } = virtualRuntime();
    const server = new ByteServer();
    const options = { tiers: [mapTier(), serverTier(server)] };
    const benches = [benchOf(runtime, options), benchOf(runtime, { tiers: [serverTier(server)] })];
    await fc.assert(
      fc.asyncProperty(caller, caller, fc.string(), async (one, other, input) => {
        for (const asker of [one, other]) {
          for (const bench of benches) {
            // The answer says whose it is.
            const send = async (): Promise<Outcome> => valueReply(JSON.stringify(asker), whole());
            const { credential, client } = asker;
            const outcome = await bench.ask({ credential, request: { input }, scope: { client } }, send);
            expect(valueIn(outcome)).toBe(JSON.stringify(asker));
          }
        }
      }),
      { numRuns: 2000 },
    );
    expect(benches[0]?.policy.stats().stores).toBeGreaterThan(1000);
  });
});
