import { describe, expect, it } from "vitest";
import { type Compressor, gzip, zstd } from "../../../src/compression/index.ts";
import { createRuntime, MissingPeerError, type Outcome, valueReply, whole } from "../../../src/core/index.ts";
import { type CacheOptions, type CachePolicy, cache } from "../../../src/policies/cache/index.ts";
import { memory } from "../../../src/stores/index.ts";
import { callOf } from "../../support/calls.ts";
import { ByteServer, serverTier } from "./support/stores.ts";

const ANSWER = "The quick brown fox jumps over the lazy dog. ".repeat(100);

function setUp(options: Partial<CacheOptions> = {}) {
  const runtime = createRuntime();
  const server = new ByteServer();
  const policy = cache({ tiers: [serverTier(server)], ...options }, runtime);
  const provider = async (): Promise<Outcome> => valueReply(ANSWER, whole());
  return {
    runtime,
    server,
    policy,
    /** The value of an answer, and what the server holds of it. */
    async ask(input: string, through: CachePolicy = policy): Promise<{ value: unknown; stored: number; hit: boolean }> {
      const call = callOf(runtime, provider, { request: { input } });
      const outcome = await through.handle(call, provider);
      await through.flush();
      const stored = server.values.get(call.fingerprint()?.key as string)?.bytes.byteLength ?? 0;
      if (!outcome.ok || outcome.body.kind !== "value") throw new Error("no answer");
      return { value: outcome.body.value, stored, hit: outcome.servedBy === "cache" };
    },
  };
}

describe("the cache", () => {
  it("compresses what it writes outside the process, unless told otherwise", async () => {
    const byDefault = await setUp().ask("question");
    const never = await setUp({ compression: false }).ask("question");
    expect(never.stored).toBeGreaterThan(ANSWER.length);
    expect(byDefault.stored).toBeLessThan(ANSWER.length / 5);
  });

  it("reads what was written with another setting, and can be given another while it runs", async () => {
    const { policy, ask } = setUp({ compression: false });
    const settings = [false, "auto", gzip(), zstd({ level: "maximum" })] as const;
    for (const [number, compression] of settings.entries()) {
      policy.update({ compression });
      expect(await ask(`question ${number}`)).toMatchObject({ value: ANSWER, hit: false });
    }
    for (const compression of settings) {
      policy.update({ compression });
      for (const number of settings.keys()) {
        expect(await ask(`question ${number}`)).toMatchObject({ value: ANSWER, hit: true });
      }
    }
    expect(policy.snapshot().compression).toBe("zstd");
  });

  it("keeps an answer as it is and says so when the compressor fails", async () => {
    const missing: Compressor = {
      name: "missing",
      compress: async () => {
        throw new MissingPeerError("some-package", "missing()");
      },
      decompress: async (bytes) => bytes,
    };
    const { runtime, policy, ask } = setUp({ compression: missing });
    const failures: unknown[] = [];
    runtime.events.on("cache.tier_failed", ({ operation, error }) => void failures.push({ operation, error }));
    expect((await ask("question")).stored).toBeGreaterThan(ANSWER.length);
    expect(await ask("question")).toMatchObject({ value: ANSWER, hit: true });
    expect(failures).toEqual([{ operation: "compress", error: "PEER_MISSING" }]);
    expect(policy.snapshot().tiers["server"]).toMatchObject({ available: true });
  });

  it("names the option that is wrong", () => {
    for (const compression of ["gzip", true, null, {}, { name: "", compress() {}, decompress() {} }]) {
      const options = { tiers: [memory()], compression: compression as "auto" };
      expect(() => cache(options, createRuntime())).toThrow("cache.compression");
    }
  });
});
