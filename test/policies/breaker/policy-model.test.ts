import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  aborted,
  type Fault,
  faultOf,
  type Outcome,
  pipeline,
  streamReply,
  valueReply,
  whole,
} from "../../../src/core/index.ts";
import { type BreakerOptions, breaker } from "../../../src/policies/breaker/index.ts";
import { BREAKER_DEFAULTS, breakerSettings, merged } from "../../../src/policies/breaker/settings.ts";
import { callOf, drain, streamOf, virtualRuntime } from "../../support/calls.ts";
import { type RefCall, ReferenceBreaker } from "./reference.ts";

const KEY = "test/m/k";
const OPTIONS = {
  minimumCalls: 4,
  halfOpenAfter: "2s",
  probeTimeout: "3s",
  ramp: "4s",
  slowCallDuration: "1s",
  slowCallRate: 0.6,
} as const satisfies BreakerOptions;

/** How a call may end, and what the reference is told of it. */
const ENDS = {
  answered: [() => valueReply("fine", whole()), "success"],
  streamed: [() => streamReply(streamOf([{ role: "content", value: "fine" }])), "success"],
  failed: [() => bad("server_error"), "failure"],
  cut: [() => bad("interrupted"), "failure"],
  aborted: [() => aborted("the caller left"), "neither"],
  wrong: [() => bad("bad_request"), "neither"],
  limited: [() => bad("rate_limited"), "neither"],
} as const satisfies Record<string, readonly [() => Outcome, "success" | "failure" | "neither"]>;

const bad = (kind: Fault["kind"]): Fault => faultOf({ kind, error: new Error(kind) });

const step = fc.oneof(
  { weight: 5, arbitrary: fc.record({ type: fc.constant("start" as const), count: fc.integer({ min: 1, max: 6 }) }) },
  {
    weight: 8,
    arbitrary: fc.record({
      type: fc.constant("end" as const),
      index: fc.nat(20),
      how: fc.constantFrom(...(Object.keys(ENDS) as (keyof typeof ENDS)[])),
    }),
  },
  { weight: 4, arbitrary: fc.record({ type: fc.constant("wait" as const), ms: fc.nat(6_000) }) },
  {
    weight: 1,
    arbitrary: fc.record({ type: fc.constant("shift" as const), ms: fc.constantFrom(-3_600_000, 3_600_000) }),
  },
);

interface Held {
  readonly ref: RefCall;
  readonly startedAt: number;
  readonly end: (outcome: Outcome) => void;
  readonly over: Promise<void>;
}

describe("the breaker as a policy", () => {
  it("does what the reference machine does, whatever listeners throw, callers abort and the wall clock shows", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 10, maxLength: 60 }), async (steps) => {
        const { clock, runtime } = virtualRuntime();
        const policy = breaker(OPTIONS, runtime);
        const reference = new ReferenceBreaker(breakerSettings(merged(BREAKER_DEFAULTS, OPTIONS)));
        const line = pipeline(policy);
        const told: string[] = [];
        runtime.events.on("*", ({ type }) => {
          if (type === "breaker.opened" || type === "breaker.half_opened" || type === "breaker.closed") told.push(type);
          throw new Error("a listener that throws");
        });
        let held: Held[] = [];

        const start = async (): Promise<void> => {
          const ref = reference.start(clock.now());
          const { promise, resolve } = Promise.withResolvers<Outcome>();
          const call = callOf(runtime, () => promise);
          const outcome = line.execute(call).then(async (given) => {
            if (given.ok && given.body.kind === "stream") await drain(given.body);
            return given;
          });
          await Promise.resolve();
          const admitted = call.trace.attemptCount === 1;
          expect(admitted).toBe(ref !== undefined);
          if (ref === undefined) expect(await outcome).toMatchObject({ kind: "refused" });
          else held.push({ ref, startedAt: clock.now(), end: resolve, over: outcome.then(() => undefined) });
        };

        for (const action of steps) {
          if (action.type === "wait") await clock.advance(action.ms);
          if (action.type === "shift") clock.shiftWall(action.ms);
          if (action.type === "start") for (let count = 0; count < action.count; count++) await start();
          const call = action.type === "end" ? held[action.index] : undefined;
          if (action.type === "end" && call !== undefined) {
            held = held.filter((other) => other !== call);
            const [outcome, result] = ENDS[action.how];
            call.end(outcome());
            await call.over;
            reference.end(call.ref, result, clock.now() - call.startedAt >= 1_000, clock.now());
          }
          const row = policy.snapshot()[KEY];
          expect(row?.state ?? "closed").toBe(reference.state);
          expect(row?.outstanding ?? 0).toBe(held.length);
        }
        expect(told).toEqual(reference.log.map((entry) => `breaker.${entry.replace(/ for .*/, "")}`));
      }),
      { numRuns: 300 },
    );
  });
});
