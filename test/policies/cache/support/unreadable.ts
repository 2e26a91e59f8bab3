import { hash, randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { deflateRawSync } from "node:zlib";
import { Keyv } from "keyv";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { auto } from "../../../../src/compression/index.ts";
import { type ByteStore, createRuntime, type Entry, type Outcome, seededRandom } from "../../../../src/core/index.ts";
import { type EncryptionOptions, readEncryption } from "../../../../src/policies/cache/encryption.ts";
import { EntryCodec } from "../../../../src/policies/cache/envelope.ts";
import { type CacheTier, cache } from "../../../../src/policies/cache/index.ts";
import { keyv, redis, sqlite } from "../../../../src/stores/index.ts";
import { entryOf } from "../../../stores/entries.ts";
import { callOf } from "../../../support/calls.ts";
import { type RedisServer, startRedis } from "../../../support/redis-server.ts";
import { ByteServer, serverTier } from "./stores.ts";

const FAR = Date.now() + 3_600_000;

const keys: EncryptionOptions = { keys: { k1: randomBytes(32), k2: randomBytes(32) }, current: "k2" };
const sameIds: EncryptionOptions = { keys: { k1: randomBytes(32), k2: randomBytes(32) }, current: "k2" };
const otherIds: EncryptionOptions = { keys: { k3: randomBytes(32) }, current: "k3" };

const codecs = {
  plain: codecOf(undefined),
  encrypted: codecOf(keys),
  sameIds: codecOf(sameIds),
  otherIds: codecOf(otherIds),
};

function codecOf(encryption: EncryptionOptions | undefined): EntryCodec {
  const settings = {
    compression: auto({ minBytes: 1, minSaved: 0 }),
    encryption: encryption && readEncryption("encryption", encryption),
    maxEntryBytes: 1e6,
    shared: false,
  };
  return new EntryCodec(() => settings);
}

/** What a question is found by. */
interface Place {
  readonly key: string;
  readonly check: string;
  readonly owner: string;
}

type Pick = (below: number) => number;

/** Bytes that are not the entry of `place`, as somebody or something might leave them in a tier. */
function wrongBytes(pick: Pick, place: Place, encrypted: boolean): Uint8Array {
  const entry = entryOf("wrong ".repeat(pick(400)), FAR, { check: place.check, owner: place.owner });
  const own = encrypted ? codecs.encrypted : codecs.plain;
  const written = (codec: EntryCodec, key = place.key, changes: Partial<Entry> = {}): Buffer =>
    Buffer.from(codec.encode(key, { ...entry, ...changes }, fail) as Uint8Array);
  const good = written(own);
  const ways: readonly (() => Uint8Array)[] = [
    () => randomBytes(1 + pick(200)),
    () => Buffer.concat([good.subarray(0, pick(60)), randomBytes(1 + pick(100))]),
    () => good.fill(good[0] as number, good.length - 1 - pick(4)).fill(0xa5, 5 + pick(good.length - 5)),
    () => flipped(pick, good),
    () => good.subarray(0, pick(good.length)),
    () => Buffer.concat([good, randomBytes(1 + pick(20))]),
    () => written(own, `${place.key}x`),
    () => written(own, place.key.slice(1)),
    () => written(own, place.key, { owner: "somebody else" }),
    () => written(encrypted ? codecs.plain : codecs.encrypted),
    () => written(encrypted ? codecs.sameIds : codecs.otherIds),
    () => written(codecs.otherIds),
    () => Buffer.from(JSON.stringify({ value: entry, expires: FAR })),
    () => Buffer.from(`BWC\u0001${"x".repeat(pick(100))}`),
    () => forged(place, Buffer.alloc(1 + pick(10))),
    () => forged(place, bomb),
  ];
  return (ways[pick(ways.length)] as () => Uint8Array)();
}

function flipped(pick: Pick, good: Buffer): Buffer {
  const at = pick(good.length);
  good[at] = (good[at] as number) ^ (1 << pick(8));
  return good;
}

// A frame of a megabyte and a half of nothing, by the codec of the preset dictionary.
const bomb = Buffer.concat([Buffer.from([1, 1, 0, 0x16, 0xe3, 0x60]), deflateRawSync(Buffer.alloc(1_500_000))]);

/** With a right digest, as by whoever knows the layout and can write to the store. */
function forged({ key, owner }: Place, frame: Uint8Array): Buffer {
  const prefix = Buffer.from("BWC\u0002\u0000");
  const bound = Buffer.concat([prefix, Buffer.from(`${key.length}:${owner.length}:${key}${owner}`), frame]);
  return Buffer.concat([prefix, hash("sha256", bound, "buffer"), frame]);
}

function fail(error: unknown): never {
  throw error;
}

const folder = mkdtempSync(join(tmpdir(), "breakwater-unreadable-"));
let server: RedisServer;

beforeAll(async () => {
  server = await startRedis();
});

afterAll(async () => {
  await server.stop();
  rmSync(folder, { recursive: true });
});

const map = new Map<string, string>();
const byteServer = new ByteServer();
const tiers: readonly (readonly [name: string, tier: () => CacheTier])[] = [
  ["redis", () => redis({ url: server.url })],
  ["sqlite", () => sqlite({ path: join(folder, "cache.db") })],
  ["keyv", () => keyv(new Keyv({ store: map }))],
  ["server", () => serverTier(byteServer)],
];

/** Puts `count` values into every tier outside the process that are no entries, in clear and encrypted half each. */
export function unreadableValues(count: number): void {
  describe.each(tiers)("unreadable values in the tier %s", (name, tier) => {
    it.each([
      ["in clear", false],
      ["encrypted", true],
    ])("are misses, are deleted and are reported, entries %s", async (_how, encrypted) => {
      const runtime = createRuntime({ random: seededRandom(7) });
      const store = tier().open(runtime) as ByteStore;
      const options = { tiers: [tier()], tierTimeout: "10s", encryption: encrypted ? keys : false } as const;
      const policy = cache(options, runtime);
      const pick: Pick = (below) => Math.floor(runtime.random() * below);
      const reported: string[] = [];
      runtime.events.on("cache.tier_failed", ({ operation, error }) => void reported.push(`${operation} ${error}`));

      for (let number = 0; number < count / 2; number++) {
        const call = callOf(runtime, noProvider, { request: { number }, scope: { cache: "only-if-cached" } });
        const { key, check } = call.fingerprint() as { key: string; check: string };
        await store.set(key, wrongBytes(pick, { key, check, owner: call.owner }, encrypted), 600_000);
        const outcome = await policy.handle(call, noProvider);
        expect(outcome).toMatchObject({ ok: false, kind: "refused" });
        await policy.flush();
        expect(await store.get(key)).toBeUndefined();
      }
      expect(policy.snapshot().tiers[name]).toMatchObject({ failures: count / 2, available: true });
      expect(reported.length).toBeGreaterThan(0);
      expect(reported.filter((line) => !line.startsWith("decode "))).toEqual([]);
      await policy.close();
      await store.close?.();
    });
  });
}

async function noProvider(): Promise<Outcome> {
  throw new Error("The provider was asked.");
}
