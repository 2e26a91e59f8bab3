import { createWriteStream } from "node:fs";
import { PassThrough, Writable } from "node:stream";
import { pino } from "pino";
import { describe, expect, it } from "vitest";
import { type JsonLinesOptions, jsonLines, type LineDestination } from "../../src/exporters/json-lines/index.ts";
import { type BreakwaterEvent, createOptimizer, type EventMap, type EventType, SEVERITIES } from "../../src/index.ts";
import { VirtualClock } from "../../src/testing/index.ts";
import { SAMPLES } from "../monitor/samples.ts";
import { oneOfEach } from "./busy.ts";

type Line = Readonly<Record<string, unknown>>;

/** Takes everything at once. */
function list(): { readonly destination: LineDestination; readonly lines: () => Line[] } {
  let text = "";
  const write = (line: string): boolean => {
    text += line;
    return true;
  };
  return { destination: { write }, lines: () => linesIn(text) };
}

function linesIn(text: string): Line[] {
  expect(text === "" || text.endsWith("\n")).toBe(true);
  return text
    .split("\n")
    .slice(0, -1)
    .map((line) => JSON.parse(line) as Line);
}

function logging(options: JsonLinesOptions = {}) {
  const clock = new VirtualClock();
  const optimizer = createOptimizer({ clock, environment: {}, monitor: false });
  const log = jsonLines(optimizer, options);
  const { runtime } = optimizer.line;
  const emit = <T extends EventType>(type: T, payload: Partial<EventMap[T]> = {}): void =>
    runtime.events.emit(type, undefined, { ...SAMPLES[type], ...payload } as EventMap[T]);
  return { clock, optimizer, runtime, log, emit };
}

const ofType = (lines: readonly Line[], event: string): Line[] => lines.filter((line) => line["event"] === event);

describe("a log of JSON lines", () => {
  it("has one line for each event of at least its level, with Pino's level, time, name and msg", () => {
    const { destination, lines } = list();
    const { runtime } = logging({ destination });
    oneOfEach(runtime);
    const expected = Object.entries(SEVERITIES).flatMap(([type, severity]) => (severity === "debug" ? [] : [type]));
    expect(
      lines()
        .map(({ event }) => event)
        .toSorted(),
    ).toEqual(expected.toSorted());
    for (const { level, time, name, msg, event } of lines()) {
      expect([30, 40, 50], String(event)).toContain(level);
      expect(time).toBe(runtime.clock.wall());
      expect(name).toBe("breakwater");
      expect(typeof msg).toBe("string");
    }
  });

  it("tells whose call it was and what happened, in the words of the event", () => {
    const { destination, lines } = list();
    const { runtime } = logging({ destination });
    oneOfEach(runtime, "gpt-5");
    const [failed] = ofType(lines(), "call.failed");
    expect(failed).toMatchObject({
      level: 50,
      msg: "call failed",
      op: "chat",
      provider: "test",
      model: "gpt-5",
      errorType: "timeout",
      durationMs: 900,
    });
    expect(failed?.["callId"]).toMatch(/^c/);
    expect(failed).not.toHaveProperty("severity");
  });

  it("renames a field that Pino has too, so that no line has it twice", () => {
    const { destination, lines } = list();
    const { emit } = logging({ destination });
    emit("alert", { level: "critical", state: "firing", message: "it is slow" });
    emit("budget.threshold", { name: "acme" });
    expect(lines()).toMatchObject([
      { level: 50, msg: "it is slow", alertLevel: "critical" },
      { level: 40, name: "breakwater", budgetName: "acme" },
    ]);
  });

  it("gives an alert the level that it has, and its end that of news", () => {
    const { destination, lines } = list();
    const { emit } = logging({ destination });
    for (const level of ["info", "warning", "critical"] as const) emit("alert", { level, state: "firing" });
    emit("alert", { level: "critical", state: "resolved" });
    expect(lines().map(({ level }) => level)).toEqual([30, 40, 50, 30]);
  });

  it("writes what is asked for by level, or by type", () => {
    const loud = list();
    const chosen = list();
    const { runtime, optimizer } = logging({ destination: loud.destination, level: "error" });
    jsonLines(optimizer, { destination: chosen.destination, events: ["cache.hit", "call.started"] });
    oneOfEach(runtime);
    expect(ofType(loud.lines(), "call.failed")).toHaveLength(1);
    expect(ofType(loud.lines(), "retry.scheduled")).toEqual([]);
    expect(chosen.lines().map(({ event, level }) => [event, level])).toEqual([
      ["call.started", 20],
      ["cache.hit", 20],
    ]);
  });

  it("has what ended calls have in common only where that is asked for by name, since it costs", () => {
    const { destination, lines } = list();
    const { runtime, optimizer } = logging({ destination, level: "debug" });
    expect(runtime.events.wantsByName("call.fingerprinted")).toBe(false);
    jsonLines(optimizer, { destination, events: ["call.fingerprinted"] });
    oneOfEach(runtime);
    expect(ofType(lines(), "call.fingerprinted")).toHaveLength(1);
  });

  it("listens to nothing that it would not write", () => {
    const { destination } = list();
    const { runtime, log } = logging({ destination });
    expect(runtime.events.wants("attempt.started")).toBe(false);
    expect(runtime.events.wants("call.completed")).toBe(true);
    log.close();
    expect(runtime.events.wants("call.completed")).toBe(false);
  });

  it("goes through a logger of Pino, with its levels and bindings", () => {
    const { destination, lines } = list();
    const logger = pino({ level: "debug", base: { service: "shop" } }, destination as { write(line: string): void });
    const { emit } = logging({ logger });
    emit("call.completed");
    emit("alert", { level: "critical", state: "firing", message: "it is slow" });
    emit("budget.threshold", { name: "acme" });
    expect(lines()).toMatchObject([
      { level: 30, service: "shop", msg: "call completed", event: "call.completed", servedBy: "upstream" },
      { level: 50, service: "shop", msg: "it is slow", alertLevel: "critical" },
      { level: 40, service: "shop", budgetName: "acme" },
    ]);
  });
});

describe("a storm of events", () => {
  it("writes so many lines of a type a second, and tells how many there were beyond", async () => {
    const { destination, lines } = list();
    const { clock, emit, log } = logging({ destination, perSecond: 10 });
    for (let n = 0; n < 1_000; n++) emit("call.failed");
    emit("breaker.opened");
    expect(ofType(lines(), "call.failed")).toHaveLength(10);
    expect(ofType(lines(), "breaker.opened")).toHaveLength(1);
    await clock.advance(1_000);
    expect(ofType(lines(), "log.suppressed")).toMatchObject([
      { level: 40, of: "call.failed", count: 990, msg: "990 lines not written: too many of call.failed" },
    ]);
    expect(log.stats()).toEqual({ written: 12, suppressed: 990, dropped: 0 });
    emit("call.failed");
    expect(ofType(lines(), "call.failed")).toHaveLength(11);
    await clock.advance(60_000);
    expect(lines()).toHaveLength(13);
  });

  it("is told of when the log is closed before the second is over", async () => {
    const { destination, lines } = list();
    const { emit, log, clock } = logging({ destination, perSecond: 1 });
    emit("call.failed");
    emit("call.failed");
    log.close();
    expect(ofType(lines(), "log.suppressed")).toMatchObject([{ count: 1 }]);
    await clock.advance(10_000);
    expect(lines()).toHaveLength(2);
  });
});

describe("a destination that is stuck", () => {
  it("holds no more than its bound, loses no count, and gets the rest when it moves again", async () => {
    const waiting: (() => void)[] = [];
    let text = "";
    const slow = new Writable({
      decodeStrings: false,
      write(chunk: string, _encoding, done) {
        text += chunk;
        waiting.push(done);
      },
    });
    const failures: BreakwaterEvent<"exporter.failed">[] = [];
    const { clock, emit, optimizer, log } = logging({ destination: slow, perSecond: 10_000, maxBuffered: "8kb" });
    optimizer.on("exporter.failed", (event) => void failures.push(event));
    for (let n = 0; n < 1_000; n++) emit("call.failed");
    expect(slow.writableLength).toBeLessThanOrEqual(8_192);
    const { written, dropped } = log.stats();
    expect(written + dropped).toBe(1_000);
    expect(dropped).toBeGreaterThan(900);
    expect(failures).toEqual([]);

    await clock.advance(1_000);
    expect(failures).toMatchObject([{ exporter: "json-lines", error: "BufferFull", consecutive: dropped }]);
    await clock.advance(10_000);
    expect(failures).toHaveLength(1);

    for (let done = waiting.shift(); done !== undefined; done = waiting.shift()) {
      done();
      await clock.advance(1_000);
    }
    emit("call.completed");
    for (let done = waiting.shift(); done !== undefined; done = waiting.shift()) done();
    expect(ofType(linesIn(text), "log.dropped")).toMatchObject([{ level: 40, count: dropped }]);
    expect(ofType(linesIn(text), "call.failed")).toHaveLength(written);
    expect(ofType(linesIn(text), "call.completed")).toHaveLength(1);
  });

  it("that fails or closes ends neither the process nor a call", async () => {
    const failures: BreakwaterEvent<"exporter.failed">[] = [];
    const destination = createWriteStream("/nowhere/at-all.log");
    const { clock, emit, optimizer, log } = logging({ destination });
    optimizer.on("exporter.failed", (event) => void failures.push(event));
    emit("call.failed");
    await expect.poll(() => destination.closed, { timeout: 30_000 }).toBe(true);
    emit("call.failed");
    await clock.advance(1_000);
    expect(failures).toMatchObject([{ exporter: "json-lines", error: "StreamClosed", consecutive: 2 }]);
    expect(log.stats()).toEqual({ written: 1, suppressed: 0, dropped: 1 });
    expect(await optimizer.call({ model: "m", input: "x" }, () => "answer")).toBe("answer");
    log.close();
  });

  it("that throws is counted", async () => {
    const destination = {
      write(): never {
        throw Object.assign(new Error("no"), { code: "EPIPE" });
      },
    };
    const { emit, log, clock, optimizer } = logging({ destination });
    const errors: string[] = [];
    optimizer.on("exporter.failed", ({ error }) => void errors.push(error));
    emit("call.failed");
    expect(log.stats()).toEqual({ written: 0, suppressed: 0, dropped: 1 });
    await clock.advance(1_000);
    expect(errors).toEqual(["EPIPE"]);
  });

  it("lets a log tell of the failures of another exporter", () => {
    const { destination, lines } = list();
    const { emit } = logging({ destination });
    emit("exporter.failed", { exporter: "otlp" });
    expect(ofType(lines(), "exporter.failed")).toMatchObject([{ exporter: "otlp" }]);
  });
});

describe("the options of a log", () => {
  it("are checked", () => {
    const logger = pino({ level: "silent" });
    const wrong: [JsonLinesOptions, string][] = [
      [{ level: "fatal" as never }, "jsonLines.level"],
      [{ events: ["call.done" as never] }, "jsonLines.events"],
      [{ events: ["alert"], level: "info" }, "jsonLines.level"],
      [{ perSecond: 0 }, "jsonLines.perSecond"],
      [{ maxBuffered: "1" as never }, "jsonLines.maxBuffered"],
      [{ destination: {} as never }, "jsonLines.destination"],
      [{ logger, destination: new PassThrough() }, "jsonLines.destination"],
      [{ logger: { info: () => {} } as never }, "jsonLines.logger"],
      [{ file: "x" } as never, "jsonLines.file"],
    ];
    for (const [options, option] of wrong) expect(() => logging(options), option).toThrow(`"${option}"`);
  });
});
