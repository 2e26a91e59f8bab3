import { hash } from "node:crypto";
import { type Framing, UNCOMPRESSED } from "../../compression/index.ts";
import type { Entry } from "../../core/index.ts";
import type { Keyring } from "./encryption.ts";
import { bodyOf, entryOf } from "./entry-body.ts";

/** How bytes are written. Whatever these say, bytes written with others of them are read. */
export interface EnvelopeSettings {
  readonly compression: Framing;
  /** Absent: entries are written as they are, and encrypted ones are not read. Given: only encrypted ones are. */
  readonly encryption: Keyring | undefined;
  /** Largest text to write or read, in bytes of its UTF-8. */
  readonly maxEntryBytes: number;
  /** Whether entries belong to everybody: then nobody is their owner. */
  readonly shared: boolean;
}

/**
 * Why bytes are not an entry. `FOREIGN`: something else. `OTHER_VERSION`: of a layout that this version does not read.
 * `UNKNOWN_KEY`: encrypted with a key that is not there. `NOT_ENCRYPTED`: although everything should be.
 * `DAMAGED`: changed, cut off, encrypted with other bytes under this key's id, or written for another key or owner.
 * `UNREADABLE`: too large, or compressed in a way that cannot be read here.
 */
export type Unreadable = "FOREIGN" | "OTHER_VERSION" | "UNKNOWN_KEY" | "NOT_ENCRYPTED" | "DAMAGED" | "UNREADABLE";

const MAGIC = Buffer.from("BWC");
const VERSION = 2;
const KEY_ID_AT = MAGIC.length + 2;
const DIGEST_BYTES = 32;
/** Room for everything but the text. */
const DETAILS_MAX = 65_536;

/**
 * Entries as bytes, for the tiers that hold bytes:
 *
 * | bytes | what |
 * |---|---|
 * | 3 | `BWC` |
 * | 1 | version of the layout, 2 |
 * | 1 | length of the key's id; 0 when not encrypted |
 * | ... | id of the key, ASCII |
 * | 32, or 12 + 16 | SHA-256; encrypted: nonce and tag of AES-256-GCM |
 * | ... | frame: the body, compressed or not, and encrypted where a key is named |
 *
 * Digest and tag cover the bytes before them, the cache key, the owner and the frame. So an entry that was damaged, or
 * copied to another key or owner, is none. The digest is no proof against whoever can write to the store; the tag is.
 */
export class EntryCodec {
  readonly #settings: () => EnvelopeSettings;

  constructor(settings: () => EnvelopeSettings) {
    this.#settings = settings;
  }

  /**
   * `undefined` for what cannot be kept: a text with a lone surrogate, which UTF-8 cannot hold, or too large an entry. A
   * compressor that fails is reported to `failed`, and the entry is written without it. Does not throw.
   */
  encode(
    key: string,
    entry: Entry,
    failed: (error: unknown) => void,
  ): Uint8Array | undefined | Promise<Uint8Array | undefined> {
    const { compression, encryption, maxEntryBytes } = this.#settings();
    const body = bodyOf(entry);
    if (body === undefined || body.byteLength > maxEntryBytes + DETAILS_MAX) return undefined;
    const sealed = (frame: Uint8Array): Uint8Array => seal(key, entry.owner, frame, encryption);
    const plain = (error: unknown): Uint8Array => {
      failed(error);
      return sealed(UNCOMPRESSED.pack(body) as Uint8Array);
    };
    try {
      const frame = compression.pack(body, contentOf(entry));
      return frame instanceof Promise ? frame.then(sealed, plain) : sealed(frame);
    } catch (error) {
      return plain(error);
    }
  }

  /** The entry that was written under `key` for a call of `callOwner` (`Call.owner`). Does not throw. */
  decode(key: string, callOwner: string, bytes: Uint8Array): Entry | Unreadable | Promise<Entry | Unreadable> {
    const { compression, encryption, maxEntryBytes, shared } = this.#settings();
    const owner = shared ? "" : callOwner;
    const frame = open(key, owner, bytes, encryption);
    if (typeof frame === "string") return frame;
    try {
      const body = compression.unpack(frame, { maxBytes: maxEntryBytes + DETAILS_MAX });
      return body instanceof Promise ? body.then(ownEntry, unreadable) : ownEntry(body);
    } catch {
      return "UNREADABLE";
    }

    function ownEntry(content: Uint8Array): Entry | Unreadable {
      const entry = entryOf(content);
      return entry?.owner === owner ? entry : "DAMAGED";
    }
  }
}

function unreadable(): Unreadable {
  return "UNREADABLE";
}

function seal(key: string, owner: string, frame: Uint8Array, encryption: Keyring | undefined): Uint8Array {
  const prefix = prefixOf(encryption?.current ?? "");
  const bound = boundTo(prefix, key, owner);
  if (encryption !== undefined) return Buffer.concat([prefix, encryption.seal(frame, bound)]);
  return Buffer.concat([prefix, digestOf(bound, frame), frame]);
}

function open(key: string, owner: string, bytes: Uint8Array, encryption: Keyring | undefined): Uint8Array | Unreadable {
  if (!(bytes instanceof Uint8Array) || bytes.byteLength < KEY_ID_AT) return "FOREIGN";
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (!view.subarray(0, MAGIC.length).equals(MAGIC)) return "FOREIGN";
  if (view[MAGIC.length] !== VERSION) return "OTHER_VERSION";
  const prefix = view.subarray(0, KEY_ID_AT + (view[KEY_ID_AT - 1] as number));
  const id = prefix.toString("latin1", KEY_ID_AT);
  const sealed = view.subarray(prefix.length);
  if (id === "") return encryption === undefined ? openPlain(key, owner, prefix, sealed) : "NOT_ENCRYPTED";
  if (encryption?.has(id) !== true) return "UNKNOWN_KEY";
  return encryption.open(id, sealed, boundTo(prefix, key, owner)) ?? "DAMAGED";
}

function openPlain(key: string, owner: string, prefix: Buffer, sealed: Buffer): Uint8Array | Unreadable {
  const frame = sealed.subarray(DIGEST_BYTES);
  const digest = digestOf(boundTo(prefix, key, owner), frame);
  return sealed.subarray(0, DIGEST_BYTES).equals(digest) ? frame : "DAMAGED";
}

function prefixOf(keyId: string): Buffer {
  return Buffer.from(`BWC${String.fromCharCode(VERSION, keyId.length)}${keyId}`, "latin1");
}

// With lengths, so that no two pairs of key and owner read the same.
function boundTo(prefix: Buffer, key: string, owner: string): Buffer {
  return Buffer.concat([prefix, Buffer.from(`${key.length}:${owner.length}:${key}${owner}`)]);
}

function digestOf(bound: Buffer, frame: Uint8Array): Buffer {
  return hash("sha256", Buffer.concat([bound, frame]), "buffer");
}

// The second segment of a label is the operation.
function contentOf({ answer, label }: Entry): string {
  return `${answer.form}/${label.split("/", 2)[1] ?? ""}`;
}
