import {
  type Bytes,
  booleanOf,
  byteCount,
  type Duration,
  durationMs,
  integerIn,
  knownKeys,
  textOf,
} from "../core/index.ts";

export interface CallLogOptions {
  /** File of the log; its folder is made when missing. `":memory:"` keeps it in memory. */
  readonly path: string;
  /** Most rows; beyond, the oldest go. Default 1,000,000. */
  readonly maxRows?: number;
  /** Most bytes that rows take in the file; beyond, the oldest go. Default `"1gb"`. */
  readonly maxBytes?: Bytes;
  /** How long a row is kept. Default `"30d"`. */
  readonly maxAge?: Duration;
  /** Keeps `client` of the scope, which may name a person. Default false. */
  readonly clients?: boolean;
  /**
   * Keeps one-way names of template and question. Who has a prompt can tell by them that it was asked. Default false.
   */
  readonly fingerprints?: boolean;
  /** How long a row waits to be written with others, at most. Default `"1s"`. */
  readonly flushEvery?: Duration;
  /** Most rows that wait to be written; further ones are dropped. Default 10,000. */
  readonly maxQueued?: number;
}

export const CALL_LOG_DEFAULTS = {
  maxRows: 1_000_000,
  maxBytes: "1gb",
  maxAge: "30d",
  clients: false,
  fingerprints: false,
  flushEvery: "1s",
  maxQueued: 10_000,
} as const satisfies Partial<CallLogOptions>;

export interface CallLogSettings {
  readonly path: string;
  readonly maxRows: number;
  readonly maxBytes: number;
  readonly maxAgeMs: number;
  readonly clients: boolean;
  readonly fingerprints: boolean;
  readonly flushMs: number;
  readonly maxQueued: number;
}

const PATH_MAX = 4096;
const OPTION_KEYS = ["path", ...Object.keys(CALL_LOG_DEFAULTS)];

/** Throws `OptionError`. */
export function readCallLogOptions(options: CallLogOptions): CallLogSettings {
  knownKeys("callLog", options, OPTION_KEYS);
  const given = { ...CALL_LOG_DEFAULTS, ...options };
  return {
    path: textOf("callLog.path", given.path, PATH_MAX),
    maxRows: integerIn("callLog.maxRows", given.maxRows, 1),
    maxBytes: byteCount("callLog.maxBytes", given.maxBytes, { min: 1024 ** 2 }),
    maxAgeMs: durationMs("callLog.maxAge", given.maxAge, { min: 1000 }),
    clients: booleanOf("callLog.clients", given.clients),
    fingerprints: booleanOf("callLog.fingerprints", given.fingerprints),
    flushMs: durationMs("callLog.flushEvery", given.flushEvery, { min: 10, max: 60_000 }),
    maxQueued: integerIn("callLog.maxQueued", given.maxQueued, 1, 1_000_000),
  };
}
