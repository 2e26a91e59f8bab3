const BYTES = Float32Array.BYTES_PER_ELEMENT;
const BIG_ENDIAN = new Uint8Array(new Uint16Array([1]).buffer)[0] === 0;

/**
 * A vector as OpenAI gives it for `encoding_format: "base64"`: 32-bit floats, little-endian. Numbers are rounded to 32
 * bits; those that are the decimal texts of such floats give the very bytes. `undefined` for anything else.
 */
export function packedVector(value: unknown): string | undefined {
  if (typeof value === "string") return bytesOf(value) === undefined ? undefined : value;
  if (!Array.isArray(value) || value.length === 0 || !value.every((item) => typeof item === "number")) return undefined;
  const floats = Float32Array.from(value);
  if (!floats.every(Number.isFinite)) return undefined;
  return inLittleEndian(Buffer.from(floats.buffer)).toString("base64");
}

/** The numbers of a packed vector, each exactly its 32-bit float. `undefined` for what is not one. */
export function vectorNumbers(packed: unknown): number[] | undefined {
  const bytes = typeof packed === "string" ? bytesOf(packed) : undefined;
  if (bytes === undefined) return undefined;
  // A copy, because a view of floats must begin at a multiple of four.
  const floats = new Float32Array(new Uint8Array(inLittleEndian(bytes)).buffer);
  return floats.every(Number.isFinite) ? Array.from(floats) : undefined;
}

function bytesOf(base64: string): Buffer | undefined {
  const bytes = Buffer.from(base64, "base64");
  const whole = bytes.length > 0 && bytes.length % BYTES === 0;
  // What is not base64 is skipped in silence.
  return whole && bytes.toString("base64") === base64 ? bytes : undefined;
}

function inLittleEndian(bytes: Buffer): Buffer {
  return BIG_ENDIAN ? bytes.swap32() : bytes;
}
