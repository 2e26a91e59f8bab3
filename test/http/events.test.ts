import { afterEach, describe, expect, it } from "vitest";
import type { View } from "../../src/dashboard/index.ts";
import { type Desk, makeCalls, openDesk } from "./support.ts";

let desk: Desk;
afterEach(() => desk.close());

interface Event {
  readonly id: string;
  readonly event: string;
  readonly data: View;
}

/** Reads the events of a stream one by one. */
function eventsOf(response: Response): { readonly raw: string[]; next(): Promise<Event>; cancel(): Promise<void> } {
  const reader = (response.body as ReadableStream<Uint8Array>).getReader();
  const decoder = new TextDecoder();
  const raw: string[] = [];
  let rest = "";
  return {
    raw,
    async next() {
      while (!rest.includes("\n\n")) {
        const { value, done } = await reader.read();
        if (done) throw new Error("The stream has ended.");
        rest += decoder.decode(value, { stream: true });
      }
      const at = rest.indexOf("\n\n");
      const text = rest.slice(0, at);
      rest = rest.slice(at + 2);
      raw.push(text);
      if (text.startsWith(":")) return this.next();
      const fields = Object.fromEntries(text.split("\n").map((line) => line.split(/: (.*)/s).slice(0, 2)));
      return { id: fields["id"] ?? "", event: fields["event"] ?? "", data: JSON.parse(fields["data"] ?? "null") };
    },
    cancel: () => reader.cancel(),
  };
}

describe("the stream of events", () => {
  it("begins with a whole view before the first call, and then tells every second what is new", async () => {
    desk = openDesk();
    const response = await desk.ask("/events?window=1");
    expect(response.headers.get("content-type")).toBe("text/event-stream; charset=utf-8");
    expect(response.headers.get("cache-control")).toContain("no-transform");
    expect(response.headers.get("x-accel-buffering")).toBe("no");
    const events = eventsOf(response);
    const first = await events.next();
    expect(events.raw[0]).toMatch(/^retry: 2000\nid: \d+\nevent: snapshot\n/);
    expect(first.data.tiles.calls).toMatchObject({ value: null, n: 0 });
    await makeCalls(desk.optimizer, 5);
    await desk.clock.advance(1_000);
    const second = await events.next();
    expect([second.event, second.data.tiles.calls.n]).toEqual(["update", 5]);
    expect(Number(second.id)).toBe(Number(first.id) + 1_000);
    expect(second.data.charts.servedBy.series[0]?.points.length).toBeLessThanOrEqual(3);
    await events.cancel();
  });

  it("sends a comment every 15 s, and works for nobody once all have left", async () => {
    desk = openDesk();
    const idle = desk.clock.pendingTimers;
    const events = eventsOf(await desk.ask("/events"));
    await desk.clock.advance(16_000);
    for (let n = 0; n < 17; n++) await events.next();
    expect(events.raw.filter((text) => text === ":")).toHaveLength(1);
    expect(desk.clock.pendingTimers).toBeGreaterThan(idle);
    await events.cancel();
    expect(desk.clock.pendingTimers).toBe(idle);
  });

  it("shows each client its own window and filter", async () => {
    desk = openDesk();
    await makeCalls(desk.optimizer, 3);
    await desk.optimizer.call({ model: "model-b", input: "x" }, () => "answer");
    const all = eventsOf(await desk.ask("/events?window=15"));
    const one = eventsOf(await desk.ask("/events?window=5&model=model-b"));
    expect((await all.next()).data).toMatchObject({ query: { window: 15, model: null }, tiles: { calls: { n: 4 } } });
    expect((await one.next()).data).toMatchObject({
      query: { window: 5, model: "model-b" },
      tiles: { calls: { n: 1 } },
    });
    await Promise.all([all.cancel(), one.cancel()]);
  });

  it("takes 16 clients, tells the 17th why not, and has room again when one leaves", async () => {
    desk = openDesk();
    const open = await Promise.all(Array.from({ length: 16 }, async () => eventsOf(await desk.ask("/events"))));
    const refused = await desk.ask("/events");
    expect([refused.status, refused.headers.get("retry-after")]).toEqual([503, "30"]);
    expect(((await refused.json()) as { error: { message: string } }).error.message).toContain(
      "16 dashboards are open",
    );
    await open[0]?.cancel();
    const again = await desk.ask("/events");
    expect(again.status).toBe(200);
    await again.body?.cancel();
    await Promise.all(open.slice(1).map((events) => events.cancel()));
  });

  it("gives up a client that does not read, and goes on with the others", async () => {
    desk = openDesk();
    const deaf = await desk.ask("/events");
    const events = eventsOf(await desk.ask("/events"));
    const { byteLength } = new TextEncoder().encode(JSON.stringify((await events.next()).data));
    const enough = Math.ceil(1_100_000 / (byteLength / 4));
    for (let second = 0; second < enough; second++) {
      await desk.clock.advance(1_000);
      await events.next();
    }
    await expect(deaf.text()).rejects.toThrow("does not read");
    await events.cancel();
  });

  it("ends when the handler is closed", async () => {
    desk = openDesk();
    const events = eventsOf(await desk.ask("/events"));
    await events.next();
    desk.handle.close();
    await expect(events.next()).rejects.toThrow("ended");
  });
});
