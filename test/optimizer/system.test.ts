import { describe, expect, it } from "vitest";
import { createOptimizer } from "../../src/index.ts";
import { VirtualClock } from "../../src/testing/index.ts";

describe("the process's own gauges", () => {
  it("are in the monitor of an optimizer, and are measured when they are read", async () => {
    const optimizer = createOptimizer({ environment: {} });
    expect(optimizer.monitor.read("process.memory.usage", { aggregate: "max", window: "1m" })).toBeGreaterThan(1e6);
    expect(optimizer.system?.report().map(({ name }) => name)).toContain("process.memory.usage");
    await optimizer.close();
  });

  it.each([{ system: false }, { monitor: false }, { clock: new VirtualClock() }])(
    "are left out with %o",
    async (options) => {
      const optimizer = createOptimizer({ environment: {}, ...options });
      expect(optimizer.system).toBeUndefined();
      expect(optimizer.monitor.read("process.memory.usage", { window: "1m" })).toBeUndefined();
      await optimizer.close();
    },
  );

  it("come with the names that the variable of OpenTelemetry asks for", async () => {
    const optimizer = createOptimizer({ environment: { OTEL_SEMCONV_STABILITY_OPT_IN: "gen_ai_latest_experimental" } });
    await optimizer.call({ model: "m", input: "question" }, async () => "answer");
    const names = optimizer.monitor.metrics().map(({ name }) => name);
    expect(names.some((name) => name.startsWith("gen_ai.client.inference."))).toBe(true);
    await optimizer.close();
  });
});
