import { describe, expect, it } from "vitest";
import type { Runtime } from "../../src/core/index.ts";
import { DEFAULT_ALERTS } from "../../src/monitor/index.ts";
import { aCall, answered, attempted, everySecond, failed, monitored } from "./support.ts";

/** What makes each built-in rule fire, and what ends it; both each second. */
const CASES: Readonly<
  Record<string, { readonly bad: (runtime: Runtime) => void; readonly good: (runtime: Runtime) => void }>
> = {
  provider_outage: {
    bad: (runtime) => attempted(runtime, 1, "server_error"),
    good: (runtime) => attempted(runtime),
  },
  error_rate: {
    bad: (runtime) => failed(runtime),
    good: (runtime) => answered(runtime),
  },
  slow_first_chunk: {
    bad: (runtime) => runtime.events.emit("call.first_chunk", aCall(runtime), { ttfcMs: 9_000, attempt: 1 }),
    good: (runtime) => runtime.events.emit("call.first_chunk", aCall(runtime), { ttfcMs: 400, attempt: 1 }),
  },
  breaker_open: {
    bad: (runtime) => {
      const opened = {
        key: "p/m/k",
        reason: "timeout",
        failureRate: 1,
        slowCallRate: 0,
        samples: 10,
        openForMs: 1_000,
      } as const;
      runtime.events.emit("breaker.opened", aCall(runtime), opened);
    },
    good: (runtime) => runtime.events.emit("breaker.closed", aCall(runtime), { key: "p/m/k", openMs: 1_000 }),
  },
  rate_limited: {
    bad: (runtime) => attempted(runtime, 1, "rate_limited"),
    good: (runtime) => attempted(runtime),
  },
  retry_amplification: {
    bad: (runtime) => {
      for (const number of [1, 2, 3]) attempted(runtime, number, number < 3 ? "rate_limited" : undefined);
    },
    good: (runtime) => attempted(runtime),
  },
  queue_wait: {
    bad: (runtime) => runtime.events.emit("pool.dequeued", aCall(runtime), { waitMs: 4_000, depth: 9, priority: 5 }),
    good: (runtime) => runtime.events.emit("pool.dequeued", aCall(runtime), { waitMs: 20, depth: 0, priority: 5 }),
  },
};

describe("the built-in rules", () => {
  it("are all proven here", () => {
    expect(Object.keys(CASES)).toEqual(DEFAULT_ALERTS.map(({ id }) => id));
  });

  it.each(Object.entries(CASES))("%s fires when it must and ends when all is well", async (id, { bad, good }) => {
    const { clock, runtime, monitor, sent } = monitored({ defaultAlerts: true });
    const told = (): string[] => sent.filter(({ rule }) => rule === id).map(({ state }) => state);
    await everySecond(clock, 120, () => good(runtime));
    expect(told()).toEqual([]);
    await everySecond(clock, 240, () => bad(runtime));
    expect(told()).toEqual(["firing"]);
    await everySecond(clock, 600, () => good(runtime));
    expect(told()).toEqual(["firing", "resolved"]);
    monitor.close();
  });

  it("tell of an open breaker at once", () => {
    const { runtime, sent } = monitored({ defaultAlerts: true });
    CASES["breaker_open"]?.bad(runtime);
    expect(sent).toMatchObject([{ rule: "breaker_open", state: "firing", labels: { breaker: "p/m/k" } }]);
  });

  it("tell of a whole outage within 40 s", async () => {
    const { clock, runtime, sent } = monitored({ defaultAlerts: true });
    await everySecond(clock, 300, () => attempted(runtime));
    await everySecond(clock, 50, () => attempted(runtime, 1, "network"));
    const outage = sent.find(({ rule }) => rule === "provider_outage");
    expect(outage?.level).toBe("critical");
    expect(clock.wall() - (outage?.since ?? 0)).toBeLessThanOrEqual(30_000);
  });

  it("stay silent through a day of one error in a hundred", async () => {
    const { clock, runtime, sent } = monitored({ defaultAlerts: true });
    for (let call = 0; call < 8_640; call++) {
      const broken = call % 100 === 0;
      attempted(runtime, 1, broken ? "server_error" : undefined);
      if (broken) attempted(runtime, 2);
      answered(runtime);
      await clock.advance(10_000);
    }
    expect(sent).toEqual([]);
  });
});
