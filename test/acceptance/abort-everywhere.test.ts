import { describe, expect, it } from "vitest";
import { ABORT_POINTS } from "./support/abort-points.ts";

describe("a call that is given up", () => {
  for (const [name, make] of Object.entries(ABORT_POINTS)) {
    it(`settles at once in ${name}, sends nothing more and leaves neither timer nor listener`, async () => {
      const point = await make();
      const { clock } = point;
      const timers = clock.pendingTimers;
      for (let index = 0; index < 100; index++) {
        const { call, end } = await point.begin();
        const sent = point.sent();
        const now = clock.now();
        call.cancellation.cancel("left");
        const outcome = await end;
        expect(outcome).toMatchObject({ kind: "aborted", error: "left" });
        expect(clock.now()).toBe(now);
        expect(call.cancellation.listenerCount).toBe(0);
        expect(clock.pendingTimers).toBeLessThanOrEqual(timers);
        expect(point.sent()).toBe(sent);
      }
      const sent = point.sent();
      await clock.advance(1_000_000);
      expect(point.sent()).toBe(sent);
      await point.line.close();
    });
  }

  it("was really waiting where the name says", async () => {
    const waiting: Record<string, number> = {};
    for (const [name, make] of Object.entries(ABORT_POINTS)) {
      const point = await make();
      const before = point.sent();
      await point.begin();
      waiting[name] = point.sent() - before;
    }
    // Nothing is sent from a wait; one request is out in a pause, a probe or a stream, and two in a hedge.
    expect(waiting).toEqual({
      queue: 0,
      "limiter wait": 0,
      throttle: 0,
      gate: 0,
      backoff: 1,
      "half-open": 1,
      hedge: 2,
      stream: 1,
    });
  });
});
