import { createCipheriv, createDecipheriv, createSecretKey, type KeyObject, randomFillSync } from "node:crypto";
import { knownKeys, OptionError } from "../../core/index.ts";

export interface EncryptionOptions {
  /**
   * Keys by id, 32 bytes each, as they are or as text in hex or base64. From a source of randomness, never a passphrase.
   * An id is 1 to 32 characters of `A-Z a-z 0-9 . _ -` and can be read in the store.
   */
  readonly keys: Readonly<Record<string, Uint8Array | string>>;
  /** Id of the key for what is written. The others still read. */
  readonly current: string;
}

const KEY_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const KEY_ID = /^[\w.-]{1,32}$/;
const ALGORITHM = "aes-256-gcm";

/** What encrypting adds to the length of a text. */
const SEAL_BYTES = NONCE_BYTES + TAG_BYTES;

/**
 * Keys of AES-256-GCM (NIST SP 800-38D) by id. What it seals is nonce, tag and ciphertext; the nonce is 96 bits of the
 * system's randomness. It shows ids, never keys, to whoever prints it.
 */
export class Keyring {
  readonly current: string;
  readonly #keys: ReadonlyMap<string, KeyObject>;

  constructor(keys: ReadonlyMap<string, KeyObject>, current: string) {
    this.current = current;
    this.#keys = keys;
  }

  has(id: string): boolean {
    return this.#keys.has(id);
  }

  /** What may be told of it. */
  shown(): { readonly current: string; readonly ids: readonly string[] } {
    return { current: this.current, ids: [...this.#keys.keys()] };
  }

  /** Seals `text` with the current key; `bound` must be the same when it is opened. */
  seal(text: Uint8Array, bound: Uint8Array): Uint8Array {
    const sealed = Buffer.allocUnsafe(SEAL_BYTES + text.byteLength);
    const nonce = randomFillSync(sealed.subarray(0, NONCE_BYTES));
    const cipher = createCipheriv(ALGORITHM, this.#key(this.current), nonce);
    cipher.setAAD(bound);
    sealed.set(cipher.update(text), SEAL_BYTES);
    cipher.final();
    sealed.set(cipher.getAuthTag(), NONCE_BYTES);
    return sealed;
  }

  /** What was sealed with the key `id` and `bound`; `undefined` for anything else. */
  open(id: string, sealed: Uint8Array, bound: Uint8Array): Uint8Array | undefined {
    if (!this.has(id) || sealed.byteLength < SEAL_BYTES) return undefined;
    const nonce = sealed.subarray(0, NONCE_BYTES);
    const decipher = createDecipheriv(ALGORITHM, this.#key(id), nonce, { authTagLength: TAG_BYTES });
    decipher.setAAD(bound);
    decipher.setAuthTag(sealed.subarray(NONCE_BYTES, SEAL_BYTES));
    const text = decipher.update(sealed.subarray(SEAL_BYTES));
    try {
      decipher.final();
      return text;
    } catch {
      return undefined;
    }
  }

  #key(id: string): KeyObject {
    return this.#keys.get(id) as KeyObject;
  }
}

/** Reads keys and checks them. Throws `OptionError`, which never shows one. */
export function readEncryption(option: string, value: unknown): Keyring {
  const { keys, current } = readShape(option, value);
  if (typeof keys !== "object" || keys === null || Object.keys(keys).length === 0) {
    throw new OptionError(`${option}.keys`, withheld(keys), "an object of at least one key by id");
  }
  const ring = new Map<string, KeyObject>();
  for (const [id, key] of Object.entries(keys)) {
    if (!KEY_ID.test(id)) {
      throw new OptionError(`${option}.keys`, withheld(keys), "ids of 1 to 32 of the characters A-Z a-z 0-9 . _ -");
    }
    ring.set(id, readKey(`${option}.keys.${id}`, key));
  }
  if (typeof current !== "string" || !ring.has(current)) {
    throw new OptionError(`${option}.current`, withheld(current), "the id of one of the keys");
  }
  return new Keyring(ring, current);
}

// Whatever stands in a wrong place may be a key.
function readShape(option: string, value: unknown): { readonly keys?: unknown; readonly current?: unknown } {
  if (typeof value !== "object" || value === null) {
    throw new OptionError(option, withheld(value), "false, or an object with `keys` and `current`");
  }
  const shape = Object.fromEntries(Object.keys(value).map((name) => [name, new WithheldKey()]));
  knownKeys(option, shape, ["keys", "current"]);
  return value;
}

const HEX = /^[0-9a-f]{64}$/i;
const BASE64 = /^[\w+/-]{43}=?$/;

function readKey(option: string, value: unknown): KeyObject {
  if (value instanceof Uint8Array && value.byteLength === KEY_BYTES) return createSecretKey(value);
  if (typeof value === "string") {
    if (HEX.test(value)) return createSecretKey(value, "hex");
    if (BASE64.test(value)) return createSecretKey(Buffer.from(value, "base64"));
  }
  throw new OptionError(option, withheld(value), `${KEY_BYTES} bytes as a Uint8Array, or as text in hex or base64`);
}

/** Stands in an error for what must not be shown there. */
class WithheldKey {}

function withheld(value: unknown): unknown {
  return value === undefined || value === null ? value : new WithheldKey();
}
