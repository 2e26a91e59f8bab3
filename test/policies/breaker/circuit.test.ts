import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Circuit, type Ticket } from "../../../src/policies/breaker/circuit.ts";
import { BREAKER_DEFAULTS, breakerSettings } from "../../../src/policies/breaker/settings.ts";
import { compare, SETTINGS, STEP } from "./model.ts";

describe("Circuit", () => {
  it("does what the reference machine does over random sequences", () => {
    const seen = new Set<string>();
    fc.assert(
      fc.property(SETTINGS, fc.array(STEP, { minLength: 20, maxLength: 120 }), (settings, steps) => {
        for (const entry of compare(settings, steps)) seen.add(entry.replace(/ for .*/, ""));
      }),
      { numRuns: 10_000 },
    );
    // The sequences reach every state, or the property says little.
    expect([...seen].sort()).toEqual(["closed", "half_opened", "opened"]);
  });

  it("lets exactly ten calls decide at the default settings", () => {
    const settings = breakerSettings(BREAKER_DEFAULTS);
    const circuit = new Circuit<undefined>(settings, { opened: () => {}, halfOpened: () => {}, closed: () => {} });
    for (let index = 0; index < 10; index++) {
      expect(circuit.state).toBe("closed");
      const ticket = circuit.admit(index, undefined) as Ticket;
      if (index < 5) circuit.succeed(ticket, index, undefined);
      else circuit.fail(ticket, "overloaded", index, undefined);
    }
    expect(circuit.state).toBe("open");
  });
});
