import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type AlertState, nextState, type Timing, type Verdict } from "../../../src/monitor/alerts/state.ts";

const TICK = 5_000;

const timings = fc.record({
  rank: fc.constantFrom(1, 2),
  forMs: fc.constantFrom(0, TICK, 6 * TICK),
  keepMs: fc.constantFrom(0, TICK, 4 * TICK),
  windowMs: fc.constantFrom(TICK, 12 * TICK),
  noData: fc.constantFrom("keep" as const, "resolve" as const, "fire" as const),
});
/** What a tick reads: nothing, or how bad it is; between the thresholds of firing and clearing it is neither. */
const readings = fc.array(fc.constantFrom("none", "calm", "between", "first", "worst"), { maxLength: 80 });

function verdictOf(reading: string, { rank }: Timing): Verdict | undefined {
  if (reading === "none") return undefined;
  if (reading === "calm") return { rank: 0, calm: true };
  if (reading === "between") return { rank: 0, calm: false };
  return { rank: reading === "worst" ? 3 : rank, calm: false };
}

function course(timing: Timing, all: readonly string[]): (AlertState | undefined)[] {
  const states: (AlertState | undefined)[] = [];
  for (const [index, reading] of all.entries()) {
    states.push(nextState(timing, states.at(-1), verdictOf(reading, timing), index * TICK));
  }
  return states;
}

describe("the state of an alert", () => {
  it("follows rules whatever is read", () => {
    fc.assert(
      fc.property(timings, readings, (timing, all) => {
        const states = course(timing, all);
        for (const [index, state] of states.entries()) {
          const before = states[index - 1];
          const reading = all[index];
          const firing = before !== undefined && before.phase !== "pending";
          const beyond = reading === "first" || reading === "worst";
          // Nobody begins to fire, or to be pending, without a breach.
          if (state !== undefined && before === undefined && timing.noData !== "fire") expect(beyond).toBe(true);
          // Only a value that is back, or a lack of any, ends an alert.
          if (firing && state === undefined) expect(["calm", "none"]).toContain(reading);
          // What fires stays so, or recovers, or is over; and its level never falls.
          if (firing && state !== undefined) {
            expect(state.phase).not.toBe("pending");
            expect(state.rank).toBeGreaterThanOrEqual(before.rank);
          }
          if (state?.phase === "recovering") expect(["calm", "none"]).toContain(reading);
          if (timing.noData === "keep" && before?.phase === "firing" && reading === "none") expect(state).toBe(before);
        }
      }),
    );
  });

  it("fires once the condition has held without a break for as long as it must", () => {
    fc.assert(
      fc.property(timings, readings, (timing, all) => {
        const states = course({ ...timing, noData: "resolve" }, all);
        const first = states.findIndex((state) => state?.phase === "firing");
        if (first < 0) return;
        const ticks = timing.forMs / TICK;
        for (const reading of all.slice(first - ticks, first + 1))
          expect(["first", "worst", "none"]).toContain(reading);
        expect(["first", "worst"]).toContain(all[first]);
      }),
    );
  });

  it("is over only when the condition has been gone for as long as it must", () => {
    fc.assert(
      fc.property(timings, readings, (timing, all) => {
        const states = course({ ...timing, noData: "keep" }, all);
        const ended = states.findIndex((state, index) => {
          const before = states[index - 1];
          return state === undefined && before !== undefined && before.phase !== "pending";
        });
        if (ended < 0) return;
        const since = states[ended - 1]?.calmSince ?? ended * TICK;
        expect(ended * TICK - since).toBeGreaterThanOrEqual(timing.keepMs);
        // Where there is no data, what was read last counts.
        expect(all.slice(0, ended + 1).findLast((reading) => reading !== "none")).toBe("calm");
      }),
    );
  });

  it("does not start the clock anew for a break in the data", () => {
    const timing = { rank: 2, forMs: 3 * TICK, keepMs: TICK, windowMs: 12 * TICK, noData: "resolve" } as const;
    expect(course(timing, ["first", "none", "none", "first"]).at(-1)?.phase).toBe("firing");
  });

  it("of a rule that takes a lack of data for a breach fires without any", () => {
    const timing = { rank: 2, forMs: 2 * TICK, keepMs: 0, windowMs: TICK, noData: "fire" } as const;
    expect(course(timing, ["none", "none", "none"]).map((state) => state?.phase)).toEqual([
      "pending",
      "pending",
      "firing",
    ]);
    expect(course(timing, ["none", "none", "none", "calm"]).at(-1)).toBeUndefined();
  });
});
