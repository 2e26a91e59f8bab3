import { createDecipheriv, randomBytes } from "node:crypto";
import { inspect } from "node:util";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createRuntime, OptionError } from "../../../src/core/index.ts";
import { type EncryptionOptions, type Keyring, readEncryption } from "../../../src/policies/cache/encryption.ts";
import { cache } from "../../../src/policies/cache/index.ts";
import { memory } from "../../../src/stores/index.ts";

const secret = randomBytes(32);
const bound = Buffer.from("bound");

function ringOf(keys: EncryptionOptions["keys"], current = Object.keys(keys)[0] as string): Keyring {
  return readEncryption("cache.encryption", { keys, current });
}

function messageOf(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    expect(error).toBeInstanceOf(OptionError);
    return (error as Error).message;
  }
  return "nothing was thrown";
}

describe("keys", () => {
  it("are the same as bytes, in hex and in base64", () => {
    const sealed = ringOf({ a: secret }).seal(Buffer.from("text"), bound);
    const forms = [secret.toString("hex"), secret.toString("hex").toUpperCase(), secret.toString("base64")];
    for (const form of [...forms, secret.toString("base64url"), new Uint8Array(secret)]) {
      expect(String(ringOf({ a: form }).open("a", sealed, bound))).toBe("text");
    }
  });

  it("of a wrong size or form are refused by the name of the option, and never shown", () => {
    const wrong = [randomBytes(31), randomBytes(33), randomBytes(16).toString("hex"), "correct horse battery", 7, null];
    for (const key of [...wrong, secret.toString("base64").slice(1), { secret }]) {
      const message = messageOf(() => ringOf({ fine: secret, wrong: key as string }));
      expect(message).toContain("cache.encryption.keys.wrong");
      expect(message).toContain("32 bytes");
      if (typeof key === "string") expect(message).not.toContain(key.slice(0, 8));
    }
  });

  it("must be there, under ids of plain characters, with a current one among them", () => {
    expect(messageOf(() => ringOf({}, "a"))).toContain("cache.encryption.keys");
    expect(messageOf(() => ringOf({ "": secret }, ""))).toContain("ids of 1 to 32");
    expect(messageOf(() => ringOf({ ü: secret }))).toContain("ids of 1 to 32");
    expect(messageOf(() => ringOf({ ["x".repeat(33)]: secret }))).toContain("ids of 1 to 32");
    expect(messageOf(() => ringOf({ a: secret }, "b"))).toContain("cache.encryption.current");
  });

  it("are not shown when they stand in the wrong place", () => {
    const hex = secret.toString("hex");
    const misplaced: unknown[] = [
      hex,
      { key: hex },
      { keys: hex, current: "a" },
      { keys: [hex], current: hex },
      { keys: { a: secret }, current: hex },
      { keys: { [hex]: secret }, current: hex },
    ];
    for (const value of misplaced) {
      const message = messageOf(() => readEncryption("cache.encryption", value));
      expect(message).toContain("cache.encryption");
      expect(message).not.toContain(hex.slice(0, 8));
    }
  });

  it("are not in what a keyring or a cache shows of itself", () => {
    const hex = secret.toString("hex");
    const ring = ringOf({ a: secret });
    const policy = cache({ tiers: [memory()], encryption: { keys: { a: hex }, current: "a" } }, createRuntime());
    for (const shown of [ring, ring.shown(), policy, policy.snapshot()]) {
      for (const text of [inspect(shown, { depth: 9, showHidden: true }), JSON.stringify(shown)]) {
        expect(text).not.toContain(hex.slice(0, 16));
        expect(text).not.toContain(secret.toString("base64").slice(0, 16));
      }
    }
    expect(policy.snapshot().encryption).toEqual({ current: "a", ids: ["a"] });
  });

  it("can be rotated and taken away while the cache runs", () => {
    const policy = cache({ tiers: [memory()] }, createRuntime());
    expect(policy.snapshot().encryption).toBeUndefined();
    policy.update({ encryption: { keys: { a: secret, b: randomBytes(32) }, current: "b" } });
    policy.update({ ttl: "1m" });
    expect(policy.snapshot().encryption).toEqual({ current: "b", ids: ["a", "b"] });
    policy.update({ encryption: false });
    expect(policy.snapshot().encryption).toBeUndefined();
  });
});

describe("what a keyring seals", () => {
  const ring = ringOf({ a: secret, b: randomBytes(32) });

  it("is opened by the key of its id, bound to the same, and by nothing else", () => {
    fc.assert(
      fc.property(fc.uint8Array(), fc.uint8Array(), (text, aad) => {
        const sealed = ring.seal(text, aad);
        expect(Buffer.compare(ring.open("a", sealed, aad) as Uint8Array, text)).toBe(0);
        expect(ring.open("b", sealed, aad)).toBeUndefined();
        expect(ring.open("c", sealed, aad)).toBeUndefined();
        expect(ring.open("a", sealed, Buffer.concat([aad, Buffer.from("x")]))).toBeUndefined();
        expect(ring.open("a", sealed.subarray(0, sealed.length - 1), aad)).toBeUndefined();
      }),
    );
  });

  it("is nonce, tag and ciphertext of AES-256-GCM", () => {
    const sealed = ring.seal(Buffer.from("text"), bound);
    const decipher = createDecipheriv("aes-256-gcm", secret, sealed.subarray(0, 12));
    decipher.setAAD(bound);
    decipher.setAuthTag(sealed.subarray(12, 28));
    expect(decipher.update(sealed.subarray(28), undefined, "utf8") + decipher.final("utf8")).toBe("text");
  });

  it("never has the same nonce twice, whatever the seed of the runtime", () => {
    const nonces = Array.from({ length: 1000 }, () =>
      Buffer.from(ring.seal(Buffer.from("text"), bound).subarray(0, 12)).toString("hex"),
    );
    expect(new Set(nonces).size).toBe(1000);
  });
});
