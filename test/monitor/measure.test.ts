import { describe, expect, it } from "vitest";
import { type BreakwaterEvent, OptionError } from "../../src/core/index.ts";
import { monitored } from "./support.ts";

function rowsOf(monitor: ReturnType<typeof monitored>["monitor"]) {
  return monitor
    .report({ minutes: 1 })
    .metrics.filter(({ name }) => name === "breakwater.measured.duration")
    .map(
      (row): Record<string, unknown> => ({
        ...row.labels,
        ...(row.kind === "histogram" && { count: row.count, max: row.max }),
      }),
    );
}

describe("a measured function", () => {
  it("is counted by its name and how it ended, from its call until its promise has settled", async () => {
    const { clock, runtime, monitor } = monitored();
    const told: BreakwaterEvent<"function.measured">[] = [];
    runtime.events.on("function.measured", (event) => told.push(event));
    const wait = (ms: number) => new Promise<void>((resolve) => clock.timer(ms, resolve));
    expect(monitor.measure("add", () => 1 + 1)).toBe(2);
    await clock.run(monitor.measure("db.query", () => wait(3_000)));
    const failing = monitor.measure("db.query", async () => {
      await wait(500);
      throw new Error("CANARY");
    });
    await expect(clock.run(failing)).rejects.toThrow("CANARY");
    expect(() =>
      monitor.measure("add", () => {
        throw new TypeError("no");
      }),
    ).toThrow(TypeError);
    expect(rowsOf(monitor)).toEqual([
      { name: "add", outcome: "success", count: 1, max: 0 },
      { name: "db.query", outcome: "success", count: 1, max: 3 },
      { name: "db.query", outcome: "error", count: 1, max: 0.5 },
      { name: "add", outcome: "error", count: 1, max: 0 },
    ]);
    expect(told.map(({ name, durationMs, ok }) => [name, durationMs, ok])).toEqual([
      ["add", 0, true],
      ["db.query", 3_000, true],
      ["db.query", 500, false],
      ["add", 0, false],
    ]);
    expect(JSON.stringify(told)).not.toContain("CANARY");
  });

  it("keeps its parameters, its this and its result", async () => {
    const { monitor } = monitored();
    class Counter {
      count = 5;
      plus = monitor.measured("plus", function (this: Counter, a: number, b: string): string {
        return `${this.count + a}${b}`;
      });
    }
    expect(new Counter().plus(2, "x")).toBe("7x");
  });

  it("is not awaited where it gives something that begins when it is awaited", async () => {
    const { monitor } = monitored();
    let sent = 0;
    class Query {
      // biome-ignore lint/suspicious/noThenProperty: that is how builders of SQL do it.
      then(resolve: (rows: string) => void): void {
        sent++;
        resolve("rows");
      }
    }
    const query = monitor.measure("query", () => new Query());
    expect(sent).toBe(0);
    expect(await query).toBe("rows");
    expect(sent).toBe(1);
  });

  it("is counted with the others when there are too many names", () => {
    const { monitor } = monitored();
    for (let n = 0; n < 100; n++) monitor.measure(`f${n}`, () => n);
    const rows = rowsOf(monitor);
    expect(rows).toHaveLength(65);
    expect(rows.find((row) => row["name"] === "other")).toMatchObject({ count: 36 });
  });

  it("needs a name and a function", () => {
    const { monitor } = monitored();
    expect(() => monitor.measure("", () => 1)).toThrow(OptionError);
    expect(() => monitor.measured("f", "no function" as never)).toThrow(OptionError);
  });
});
