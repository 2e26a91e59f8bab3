import { auto, type Compressor, type Framing, framed, UNCOMPRESSED } from "../../compression/index.ts";
import { OptionError, textOf } from "../../core/index.ts";
import { Keyring, readEncryption } from "./encryption.ts";

/** How the entries of tiers outside the process are compressed; tiers in memory hold them as they are. */
export type CompressionOption = "auto" | false | Compressor;

const NAME_MAX = 64;

/** Reads the option `compression`; what was read before stays as it is. Throws `OptionError`. */
export function readCompression(option: string, value: unknown): Framing {
  if (value === false) return UNCOMPRESSED;
  if (value === "auto") return auto();
  if (isFraming(value)) return value;
  if (!isCompressor(value)) {
    throw new OptionError(option, value, '"auto", false, or a compressor such as gzip() of breakwater/compression');
  }
  textOf(`${option}.name`, value.name, NAME_MAX);
  return framed(value);
}

/** Reads the option `encryption`; what was read before stays as it is. Throws `OptionError`, which never shows a key. */
export function readEncryptionOption(option: string, value: unknown): Keyring | undefined {
  if (value === false || value === undefined) return undefined;
  return value instanceof Keyring ? value : readEncryption(option, value);
}

function isCompressor(value: unknown): value is Compressor {
  if (typeof value !== "object" || value === null) return false;
  const { compress, decompress } = value as Partial<Compressor>;
  return typeof compress === "function" && typeof decompress === "function";
}

function isFraming(value: unknown): value is Framing {
  if (typeof value !== "object" || value === null) return false;
  const { pack, unpack } = value as Partial<Framing>;
  return typeof pack === "function" && typeof unpack === "function";
}
