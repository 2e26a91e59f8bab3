import { describe, expect, it } from "vitest";
import { TierCircuit } from "../../../src/policies/cache/tier-circuit.ts";

/** A circuit that has failed three times at time 0. */
function opened(): TierCircuit {
  const circuit = new TierCircuit();
  for (let n = 0; n < 3; n++) circuit.failed(circuit.enter(0) ?? -1, 0);
  return circuit;
}

describe("the circuit of a tier", () => {
  it("opens after three failures in a row, for 1 s, and not after a success between", () => {
    const circuit = new TierCircuit();
    const ticket = circuit.enter(0) ?? -1;
    expect([circuit.failed(ticket, 0), circuit.failed(ticket, 0)]).toEqual([undefined, undefined]);
    expect(circuit.succeeded(ticket)).toBe(false);
    expect([0, 1, 2].map(() => circuit.failed(ticket, 0))).toEqual([undefined, undefined, 1000]);
    expect([circuit.closed, circuit.enter(999)]).toEqual([false, undefined]);
  });

  it("lets one operation try after the pause, and pauses for 2 s each while that fails", () => {
    const circuit = opened();
    const probe = circuit.enter(1000) ?? -1;
    expect(probe).toBeGreaterThan(0);
    expect(circuit.enter(1000)).toBeUndefined();
    expect(circuit.failed(probe, 1050)).toBe(2000);
    expect(circuit.enter(3049)).toBeUndefined();
    expect(circuit.failed(circuit.enter(3050) ?? -1, 3100)).toBe(2000);
  });

  it("closes when the one that tries succeeds", () => {
    const circuit = opened();
    expect(circuit.succeeded(circuit.enter(1000) ?? -1)).toBe(true);
    expect(circuit.closed).toBe(true);
    const ticket = circuit.enter(1000) ?? -1;
    expect(circuit.enter(1000)).toBe(ticket);
    expect(circuit.failed(ticket, 1000)).toBeUndefined();
  });

  it("takes no notice of what began before it opened", () => {
    const circuit = new TierCircuit();
    const early = circuit.enter(0) ?? -1;
    for (let n = 0; n < 3; n++) circuit.failed(early, 0);
    expect(circuit.failed(early, 500)).toBeUndefined();
    expect(circuit.succeeded(early)).toBe(false);
    expect(circuit.closed).toBe(false);
    const probe = circuit.enter(1000) ?? -1;
    expect([circuit.succeeded(early), circuit.failed(early, 1000)]).toEqual([false, undefined]);
    expect(circuit.succeeded(probe)).toBe(true);
  });
});
