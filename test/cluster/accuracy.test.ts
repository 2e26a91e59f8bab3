import { afterEach, describe, expect, it } from "vitest";
import { mostIn } from "./load.ts";
import { Caller, countBetween, MINUTE, PER_SECOND, timesOf } from "./virtual-load.ts";
import { VirtualServer } from "./virtual-server.ts";

let server: VirtualServer;
afterEach(() => server.stop());

describe("eight processes, their clocks two minutes apart, seven tenths of the calls at one", () => {
  it.each([1, 2, 3])(
    "use up the quota, and no minute of it beyond a fiftieth more, with few commands (seed %i)",
    async (seed) => {
      server = await VirtualServer.start();
      const callers = Array.from({ length: 8 }, (_, index) => {
        const caller = new Caller(server, server.open({}, -60_000 + (index * 120_000) / 7), "global", MINUTE);
        caller.call(index === 0 ? 2 * PER_SECOND * 0.7 : (2 * PER_SECOND * 0.3) / 7, seed * 100 + index);
        return caller;
      });
      await server.pass(5_000);
      const [from, answered] = [server.clock.now(), server.answered];
      await server.pass(65_000);
      const [to, commands] = [server.clock.now(), server.answered - answered];
      for (const caller of callers) caller.stop();
      const times = timesOf(callers);
      const seconds = (to - from) / 1_000;
      expect(countBetween(times, from, to)).toBeGreaterThanOrEqual(0.98 * seconds * PER_SECOND);
      expect(mostIn(60_000, times)).toBeLessThanOrEqual(1.02 * 60 * PER_SECOND);
      expect(commands / seconds).toBeLessThanOrEqual(10);
    },
  );
});
