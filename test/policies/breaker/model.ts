import fc from "fast-check";
import { expect } from "vitest";
import { Circuit, type Ticket } from "../../../src/policies/breaker/circuit.ts";
import type { BreakerSettings } from "../../../src/policies/breaker/settings.ts";
import { type RefCall, ReferenceBreaker } from "./reference.ts";

export const SETTINGS: fc.Arbitrary<BreakerSettings> = fc.record({
  failureRate: fc.constantFrom(0.2, 0.5, 1),
  slowCallMs: fc.constant(1_000),
  slowCallRate: fc.constantFrom(0.3, 0.8, 1),
  windowMs: fc.constantFrom(1_000, 30_000),
  minimumCalls: fc.constantFrom(1, 4, 10),
  halfOpenAfterMs: fc.constantFrom(100, 5_000),
  maxOpenMs: fc.constantFrom(5_000, 60_000),
  probes: fc.constantFrom(1, 3),
  probeTimeoutMs: fc.constantFrom(500, 60_000),
  rampMs: fc.constantFrom(0, 1_000, 10_000),
  consecutiveFailures: fc.constantFrom(2, Number.POSITIVE_INFINITY),
});

/** What may happen to a circuit. Times are those of a monotonic clock, which may leap ahead and never goes back. */
export const STEP = fc.oneof(
  { weight: 6, arbitrary: fc.record({ type: fc.constant("start" as const), count: fc.integer({ min: 1, max: 8 }) }) },
  {
    weight: 8,
    arbitrary: fc.record({
      type: fc.constant("end" as const),
      index: fc.nat(30),
      result: fc.constantFrom("success" as const, "failure" as const, "failure" as const, "neither" as const),
      slow: fc.constantFrom(false, false, true),
    }),
  },
  { weight: 1, arbitrary: fc.record({ type: fc.constant("answer" as const), index: fc.nat(30) }) },
  {
    weight: 4,
    arbitrary: fc.record({
      type: fc.constant("wait" as const),
      ms: fc.oneof(
        fc.nat(500),
        fc.nat(4_000),
        fc.integer({ min: 4_000, max: 70_000 }),
        fc.constantFrom(3_600_000, 86_400_000),
      ),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ type: fc.constant("told" as const), forMs: fc.option(fc.integer({ min: 1, max: 20_000 })) }),
  },
);

export type Step = typeof STEP extends fc.Arbitrary<infer T> ? T : never;

/** Plays `steps` to a circuit and to the reference, and expects the same of both at each. Gives what happened. */
export function compare(settings: BreakerSettings, steps: readonly Step[]): readonly string[] {
  const log: string[] = [];
  const circuit = new Circuit<undefined>(settings, {
    opened: (_cause, { openForMs }) => log.push(`opened for ${openForMs}`),
    halfOpened: () => log.push("half_opened"),
    closed: () => log.push("closed"),
  });
  const reference = new ReferenceBreaker(settings);
  let calls: { ticket: Ticket; ref: RefCall }[] = [];
  let now = 12_345;
  for (const step of steps) {
    if (step.type === "wait") now += step.ms;
    if (step.type === "told") {
      if (step.forMs === null) {
        circuit.restore(now, undefined);
        reference.toldClosed(now);
      } else {
        circuit.trip(now, step.forMs, "told", undefined);
        reference.toldOpen(now, step.forMs);
      }
    }
    if (step.type === "start") {
      for (let index = 0; index < step.count; index++) {
        const ticket = circuit.admit(now, undefined);
        const ref = reference.start(now);
        if ((ticket !== undefined) !== (ref !== undefined)) expect.fail("one admits what the other refuses");
        if (ticket !== undefined && ref !== undefined) calls.push({ ticket, ref });
        else if (!(circuit.retryAfterMs(now) > 0)) expect.fail("a refusal that says to come at once");
      }
    }
    const call = "index" in step ? calls[step.index] : undefined;
    if (step.type === "answer" && call !== undefined) {
      circuit.answered(call.ticket);
      call.ref.answered = true;
    }
    if (step.type === "end" && call !== undefined) {
      calls = calls.filter((other) => other !== call);
      if (step.result === "success") circuit.succeed(call.ticket, now, undefined, step.slow);
      else if (step.result === "failure") circuit.fail(call.ticket, "server_error", now, undefined, step.slow);
      else circuit.ignore(call.ticket, now, undefined);
      reference.end(call.ref, step.result, step.slow, now);
    }
    if (circuit.state !== reference.state) expect(circuit.state).toBe(reference.state);
    if (circuit.snapshot(now).outstanding !== calls.length)
      expect(circuit.snapshot(now).outstanding).toBe(calls.length);
  }
  expect(log).toEqual(reference.log);
  return log;
}
