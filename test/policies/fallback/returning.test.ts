import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type FaultKind, faultOf, type Outcome, seededRandom } from "../../../src/core/index.ts";
import { Health } from "../../../src/policies/fallback/health.ts";
import { callOf, virtualRuntime } from "../../support/calls.ts";
import { answer, failing, heard, lineOf, saying, targetTo, valueIn } from "./support.ts";

describe("a target that fails again and again", () => {
  it("is given up, tried by a probe a second, and has its share back only after it has held", async () => {
    const { runtime, clock } = virtualRuntime();
    const events = heard(runtime, "fallback.left", "fallback.returned");
    const { line, policy } = lineOf(runtime, { targets: [targetTo("spare", saying("spare"))] });
    let dead = false;
    let asked = 0;
    const send = async (): Promise<Outcome> => {
      asked++;
      return dead ? faultOf({ kind: "server_error", error: undefined }) : answer("own");
    };
    const perSecond: number[] = [];
    const second = async (): Promise<void> => {
      asked = 0;
      for (let n = 0; n < 20; n++) {
        expect(["own", "spare"]).toContain(valueIn(await line.execute(callOf(runtime, send))));
        await clock.advance(50);
      }
      perSecond.push(asked);
    };
    await second();
    dead = true;
    for (let n = 0; n < 60; n++) await second();
    dead = false;
    expect(policy.snapshot().targets["test/m/k"]).toMatchObject({ state: "down", share: 0 });
    for (let n = 0; n < 10; n++) await second();

    expect(perSecond[0]).toBe(20);
    expect(perSecond[1]).toBeLessThanOrEqual(8);
    for (const probes of perSecond.slice(2, 61)) expect(probes).toBeLessThanOrEqual(2);
    expect(perSecond.at(-1)).toBe(20);
    expect(events.map(({ type }) => type)).toEqual(["fallback.left", "fallback.returned"]);
    expect(policy.snapshot().targets["test/m/k"]).toMatchObject({ state: "up", share: 1, inFlight: 0 });
  });

  it.each<FaultKind>(["quota_exhausted", "bad_credential"])(
    "is given up at once for %s, for as long as it says",
    async (kind) => {
      const { runtime, clock } = virtualRuntime();
      const { line } = lineOf(runtime, { targets: [targetTo("spare", saying("spare"))] });
      let asked = 0;
      const send = async (): Promise<Outcome> => {
        asked++;
        return faultOf({ kind, error: undefined, retryAfterMs: 120_000 });
      };
      for (let n = 0; n < 11; n++) {
        expect(valueIn(await line.execute(callOf(runtime, send)))).toBe("spare");
        await clock.advance(10_000);
      }
      expect(asked).toBe(1);
      await clock.advance(20_000);
      await line.execute(callOf(runtime, send));
      expect(asked).toBe(2);
    },
  );

  it("is left alone while the provider says not before", async () => {
    const { runtime, clock } = virtualRuntime();
    const { line } = lineOf(runtime, { targets: [targetTo("spare", saying("spare"))] });
    let asked = 0;
    const send = async (): Promise<Outcome> => {
      asked++;
      return asked === 1 ? faultOf({ kind: "rate_limited", error: undefined, retryAfterMs: 5_000 }) : answer("own");
    };
    for (let n = 0; n < 10; n++) expect(valueIn(await line.execute(callOf(runtime, send)))).toBe("spare");
    await clock.advance(5_000);
    expect(valueIn(await line.execute(callOf(runtime, send)))).toBe("own");
    expect(asked).toBe(2);
  });

  it("is not given up for faults that come from the calls", async () => {
    const { runtime } = virtualRuntime();
    const { line, policy } = lineOf(runtime, { targets: [targetTo("spare", saying("spare"))], on: ["content_filter"] });
    for (let n = 0; n < 50; n++)
      await line.execute(callOf(runtime, failing(n % 2 === 0 ? "content_filter" : "bad_request")));
    expect(policy.snapshot().targets["test/m/k"]?.state).toBe("up");
  });

  it("has one probe at a time hang, and three at most", async () => {
    const { runtime, clock } = virtualRuntime();
    const { line } = lineOf(runtime, { targets: [targetTo("spare", saying("spare"))] });
    for (let n = 0; n < 10; n++) await line.execute(callOf(runtime, failing("server_error")));
    let hanging = 0;
    const send = (): Promise<Outcome> => {
      hanging++;
      return new Promise(() => {});
    };
    for (let n = 0; n < 100; n++) {
      await clock.advance(100);
      void line.execute(callOf(runtime, send));
    }
    expect(hanging).toBe(3);
  });
});

describe("when every target has been given up", () => {
  it("the one that may be back first is asked rather than none", async () => {
    const { runtime } = virtualRuntime();
    const { line } = lineOf(runtime, { targets: [targetTo("spare", failing("quota_exhausted"))] });
    for (let n = 0; n < 10; n++) await line.execute(callOf(runtime, failing("server_error")));
    expect(valueIn(await line.execute(callOf(runtime, saying("own again"))))).toBe("own again");
  });

  it("a call asks only one of them", async () => {
    const { runtime } = virtualRuntime();
    let asked = 0;
    const send = async (): Promise<Outcome> => {
      asked++;
      return faultOf({ kind: "server_error", error: undefined });
    };
    const { line } = lineOf(runtime, { targets: [targetTo("a", send), targetTo("b", send)] });
    for (let n = 0; n < 10; n++) await line.execute(callOf(runtime, send));
    asked = 0;
    for (let n = 0; n < 10; n++) await line.execute(callOf(runtime, send));
    expect(asked).toBe(10);
  });
});

describe("the health of a target", () => {
  const settings = { probeEveryMs: 1_000, returnOverMs: 5_000 };

  it("changes at most twice for one outage, whatever succeeds or fails on the way", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1_000_000 }), fc.integer({ min: 10, max: 2_000 }), (seed, everyMs) => {
        const random = seededRandom(seed);
        let flips = 0;
        const health = new Health<undefined, string>({ left: () => flips++, returned: () => flips++ });
        let under: { readonly endsAt: number; readonly ok: boolean; readonly pass: ReturnType<typeof health.pass> }[] =
          [];
        for (let now = 0; now < 300_000; now += everyMs) {
          for (const { endsAt, ok, pass } of under.filter((one) => one.endsAt <= now)) {
            health.end(pass);
            if (ok) health.succeed(pass, endsAt, undefined, settings);
            else health.fail(pass, endsAt, undefined, "server_error", settings);
          }
          under = under.filter((one) => one.endsAt > now);
          if (!health.isOpen(now, under.length === 0, settings, random)) continue;
          const ok = now < 60_000 || now >= 120_000;
          under.push({ endsAt: now + random() * 3_000, ok, pass: health.pass(now) });
        }
        expect(health.state).toBe("up");
        expect(flips).toBeLessThanOrEqual(2);
      }),
      { numRuns: 200 },
    );
  });

  it("makes each absence longer when it fails again soon after", () => {
    const random = seededRandom(1);
    const absences: number[] = [];
    const health = new Health<undefined, string>({
      left: () => {},
      returned: (_cause, awayMs) => void absences.push(awayMs),
    });
    let failures = 0;
    for (let now = 0; now < 400_000; now += 10) {
      if (!health.isOpen(now, false, settings, random)) continue;
      const pass = health.pass(now);
      health.end(pass);
      if (health.state === "up" && failures++ % 500 < 10) health.fail(pass, now, undefined, "server_error", settings);
      else health.succeed(pass, now, undefined, settings);
    }
    expect(absences.length).toBeGreaterThan(3);
    expect(absences[1]).toBeGreaterThan(absences[0] as number);
    expect(absences[2]).toBeGreaterThan(absences[1] as number);
  });
});
