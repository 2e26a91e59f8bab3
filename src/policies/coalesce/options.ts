import { type Bytes, byteCount, knownKeys, oneOf } from "../../core/index.ts";

export interface CoalesceOptions {
  /**
   * `"always"`, or `"deterministic"`: only calls that ask for temperature 0 in so many words. Default `"always"`.
   */
  readonly when?: "always" | "deterministic" | undefined;
  /**
   * How much of a stream is held for those who join late, and how far one reader may fall behind the fastest; about,
   * in bytes. Default `"4mb"`.
   */
  readonly maxBuffer?: Bytes | undefined;
}

export const COALESCE_DEFAULTS = { when: "always", maxBuffer: "4mb" } as const satisfies CoalesceOptions;

export interface CoalesceSettings {
  readonly when: "always" | "deterministic";
  readonly maxBufferBytes: number;
}

/** Reads the options; what is left out stays as in `current`. Throws `OptionError`. */
export function readOptions(options: CoalesceOptions, current?: CoalesceSettings): CoalesceSettings {
  knownKeys("coalesce", options, Object.keys(COALESCE_DEFAULTS));
  const when = options.when ?? current?.when ?? COALESCE_DEFAULTS.when;
  const maxBuffer = options.maxBuffer ?? current?.maxBufferBytes ?? COALESCE_DEFAULTS.maxBuffer;
  return {
    when: oneOf("coalesce.when", when, ["always", "deterministic"]),
    maxBufferBytes: byteCount("coalesce.maxBuffer", maxBuffer, { min: 1 }),
  };
}
