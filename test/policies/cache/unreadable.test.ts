import { randomBytes } from "node:crypto";
import { describe, expect, it } from "vitest";
import { createRuntime, type Outcome, valueReply, whole } from "../../../src/core/index.ts";
import { cache, type EncryptionOptions } from "../../../src/policies/cache/index.ts";
import { callOf } from "../../support/calls.ts";
import { ByteServer, serverTier } from "./support/stores.ts";
import { unreadableValues } from "./support/unreadable.ts";

unreadableValues(500);

describe("entries in a tier", () => {
  it("are read after the keys were rotated, until the old key is taken away", async () => {
    const runtime = createRuntime();
    const shared = new ByteServer();
    const ask = async (encryption: EncryptionOptions | false, input: string): Promise<boolean> => {
      const policy = cache({ tiers: [serverTier(shared)], encryption, compression: false }, runtime);
      let asked = false;
      const call = callOf(
        runtime,
        async (): Promise<Outcome> => {
          asked = true;
          return valueReply("answer", whole());
        },
        { request: { input } },
      );
      await policy.handle(call, call.send);
      await policy.close();
      return !asked;
    };
    const [old, fresh] = [randomBytes(32), randomBytes(32)];
    expect(await ask({ keys: { a: old }, current: "a" }, "one")).toBe(false);
    expect(await ask({ keys: { a: old, b: fresh }, current: "b" }, "one")).toBe(true);
    expect(await ask({ keys: { a: old, b: fresh }, current: "b" }, "two")).toBe(false);
    expect(await ask({ keys: { b: fresh }, current: "b" }, "two")).toBe(true);
    expect(await ask({ keys: { b: fresh }, current: "b" }, "one")).toBe(false);
    expect(await ask(false, "two")).toBe(false);
  });
});
