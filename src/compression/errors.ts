import { BreakwaterError } from "../core/index.ts";

/**
 * `COMPRESSED_DAMAGED`: the bytes are not what the compressor writes. `DECOMPRESSED_TOO_LARGE`: they hold more than
 * `maxBytes`. `CODEC_UNAVAILABLE`: this Node.js, or this process, cannot read or write the format.
 */
export type CompressionErrorCode = "COMPRESSED_DAMAGED" | "DECOMPRESSED_TOO_LARGE" | "CODEC_UNAVAILABLE";

/** Bytes could not be compressed or decompressed; `code` says why. */
export class CompressionError extends BreakwaterError {
  override readonly code: CompressionErrorCode;

  constructor(code: CompressionErrorCode, message: string, cause?: unknown) {
    super(code, message, cause === undefined ? undefined : { cause });
    this.code = code;
  }
}

export function damaged(name: string, cause?: unknown): CompressionError {
  return new CompressionError("COMPRESSED_DAMAGED", `The bytes are not whole ${name} data.`, cause);
}

export function tooLarge(name: string, maxBytes: number): CompressionError {
  const message = `The ${name} data holds more than the ${maxBytes} bytes that "maxBytes" allows.`;
  return new CompressionError("DECOMPRESSED_TOO_LARGE", message);
}
