import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { describe, expect, it } from "vitest";
import { pipeline, valueReply, whole } from "../../src/core/index.ts";
import { callOf, virtualRuntime } from "../support/calls.ts";

describe("the channels of node:diagnostics_channel", () => {
  it("carry each event to those who subscribed to its type, and count as a listener", async () => {
    const { runtime } = virtualRuntime();
    const line = pipeline({ name: "pass", ring: "call", runtime, handle: (call, next) => next(call) });
    const send = async () => valueReply("yes", whole());
    const seen: unknown[] = [];
    const note = (message: unknown): void => void seen.push(message);
    expect(runtime.events.wants("call.completed")).toBe(false);
    subscribe("breakwater:call.completed", note);
    try {
      expect(runtime.events.wants("call.completed")).toBe(true);
      expect(runtime.events.wants("call.started")).toBe(false);
      const call = callOf(runtime, send);
      await line.execute(call);
      expect(seen).toMatchObject([{ v: 1, type: "call.completed", callId: call.id, severity: "info" }]);
    } finally {
      unsubscribe("breakwater:call.completed", note);
    }
    expect(runtime.events.wants("call.completed")).toBe(false);
    await line.execute(callOf(runtime, send));
    expect(seen).toHaveLength(1);
  });
});

describe("a tap", () => {
  it("sees each payload before any listener, without an envelope, until it is stopped", () => {
    const { runtime } = virtualRuntime();
    const { events } = runtime;
    const seen: unknown[] = [];
    events.on("cache.gap", ({ tier }) => void seen.push(["listener", tier]));
    const payload = { tier: "redis" };
    const stop = events.tap("cache.gap", (told, call) => void seen.push(["tap", told === payload, call]));
    events.emit("cache.gap", undefined, payload);
    expect(seen).toEqual([
      ["tap", true, undefined],
      ["listener", "redis"],
    ]);
    expect(events.listenerCount).toBe(2);
    stop();
    events.emit("cache.gap", undefined, payload);
    expect(seen).toHaveLength(3);
  });

  it("is wanted, and harms nobody when it throws", () => {
    const { events } = virtualRuntime().runtime;
    const told: unknown[] = [];
    expect(events.wants("cache.gap")).toBe(false);
    events.tap("cache.gap", () => {
      throw new RangeError("secret");
    });
    events.on("cache.gap", ({ tier }) => void told.push(tier));
    events.on("listener.failed", ({ listenerOf, error }) => void told.push([listenerOf, error]));
    expect(events.wants("cache.gap")).toBe(true);
    events.emit("cache.gap", undefined, { tier: "redis" });
    expect(told).toEqual([["cache.gap", "RangeError"], "redis"]);
  });
});
