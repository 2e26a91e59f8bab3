import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Circuit, type Ticket } from "../../../src/policies/breaker/circuit.ts";
import { BREAKER_DEFAULTS, type BreakerSettings, breakerSettings } from "../../../src/policies/breaker/settings.ts";
import { type RefCall, ReferenceBreaker } from "./reference.ts";

const SETTINGS = breakerSettings(BREAKER_DEFAULTS);

const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ type: fc.constant("start" as const), count: fc.integer({ min: 1, max: 8 }) }) },
  {
    weight: 8,
    arbitrary: fc.record({
      type: fc.constant("end" as const),
      index: fc.nat(30),
      result: fc.constantFrom("success" as const, "failure" as const, "failure" as const, "neither" as const),
    }),
  },
  { weight: 1, arbitrary: fc.record({ type: fc.constant("answer" as const), index: fc.nat(30) }) },
  {
    weight: 4,
    arbitrary: fc.record({
      type: fc.constant("wait" as const),
      ms: fc.oneof(fc.nat(500), fc.nat(4_000), fc.integer({ min: 4_000, max: 70_000 }), fc.constant(86_400_000)),
    }),
  },
);

const settings: fc.Arbitrary<BreakerSettings> = fc.record({
  failureRate: fc.constantFrom(0.2, 0.5, 1),
  windowMs: fc.constantFrom(1_000, 30_000),
  minimumCalls: fc.constantFrom(1, 4, 10),
  halfOpenAfterMs: fc.constantFrom(100, 5_000),
  maxOpenMs: fc.constantFrom(5_000, 60_000),
  probes: fc.constantFrom(1, 3),
  probeTimeoutMs: fc.constantFrom(500, 60_000),
  rampMs: fc.constantFrom(0, 1_000, 10_000),
  consecutiveFailures: fc.constantFrom(2, Number.POSITIVE_INFINITY),
});

describe("Circuit", () => {
  it("does what the reference machine does over random sequences", () => {
    const seen = new Set<string>();
    fc.assert(
      fc.property(settings, fc.array(step, { minLength: 20, maxLength: 120 }), (chosen, steps) => {
        const log: string[] = [];
        const circuit = new Circuit<undefined>(chosen, {
          opened: (_cause, { openForMs }) => log.push(`opened for ${openForMs}`),
          halfOpened: () => log.push("half_opened"),
          closed: () => log.push("closed"),
        });
        const reference = new ReferenceBreaker(chosen);
        let calls: { ticket: Ticket; ref: RefCall }[] = [];
        let now = 12_345;
        for (const action of steps) {
          if (action.type === "wait") now += action.ms;
          if (action.type === "start") {
            for (let index = 0; index < action.count; index++) {
              const ticket = circuit.admit(now, undefined);
              const ref = reference.start(now);
              expect(ticket !== undefined).toBe(ref !== undefined);
              if (ticket !== undefined && ref !== undefined) calls.push({ ticket, ref });
              else expect(circuit.retryAfterMs(now)).toBeGreaterThan(0);
            }
          }
          const call = "index" in action ? calls[action.index] : undefined;
          if (action.type === "answer" && call !== undefined) {
            circuit.answered(call.ticket);
            call.ref.answered = true;
          }
          if (action.type === "end" && call !== undefined) {
            calls = calls.filter((other) => other !== call);
            if (action.result === "success") circuit.succeed(call.ticket, now, undefined);
            else if (action.result === "failure") circuit.fail(call.ticket, "server_error", now, undefined);
            else circuit.ignore(call.ticket, now, undefined);
            reference.end(call.ref, action.result, now);
          }
          expect(circuit.state).toBe(reference.state);
          expect(log).toEqual(reference.log);
          expect(circuit.snapshot(now).outstanding).toBe(calls.length);
        }
        for (const entry of log) seen.add(entry.replace(/ for .*/, ""));
      }),
      { numRuns: 3_000 },
    );
    // The sequences reach every state, or the property says little.
    expect([...seen].sort()).toEqual(["closed", "half_opened", "opened"]);
  });

  it("lets exactly ten calls decide at the default settings", () => {
    const circuit = new Circuit<undefined>(SETTINGS, { opened: () => {}, halfOpened: () => {}, closed: () => {} });
    for (let index = 0; index < 10; index++) {
      expect(circuit.state).toBe("closed");
      const ticket = circuit.admit(index, undefined) as Ticket;
      if (index < 5) circuit.succeed(ticket, index, undefined);
      else circuit.fail(ticket, "overloaded", index, undefined);
    }
    expect(circuit.state).toBe("open");
  });
});
