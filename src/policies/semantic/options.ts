import {
  type Bytes,
  byteCount,
  type Duration,
  durationMs,
  functionOf,
  integerIn,
  knownKeys,
  numberIn,
  OptionError,
  oneOf,
  textOf,
} from "../../core/index.ts";
import type { LevelEvidence } from "./evidence.ts";
import type { Guard } from "./guard.ts";
import { GUARDS } from "./guards.ts";
import type { VectorIndex } from "./vector-index.ts";

/**
 * `shadow` serves nothing and only watches how good similar answers would be. `verified` serves from the lowest
 * similarity whose judged error is proven to be small enough, and until then nothing. `threshold` serves from
 * `minSimilarity` on, proven or not.
 */
export type SemanticMode = "shadow" | "verified" | "threshold";

/** A pair to be judged. The texts are the user's and the model's: whoever judges decides where they go. */
export interface JudgedPair {
  readonly question: string;
  readonly cachedQuestion: string;
  /** The answer to `cachedQuestion`, as plain text: would it have done for `question`? */
  readonly cachedAnswer: string;
  /** What the provider answered to `question`. */
  readonly freshAnswer: string;
}

/** What can be changed while the policy runs. */
export interface SemanticTuning {
  /** Default `"shadow"`. */
  readonly mode?: SemanticMode | undefined;
  /** Cosine similarity below which two questions are never the same, above 0 and below 1. Default 0.85. */
  readonly minSimilarity?: number | undefined;
  /**
   * How many similarities from `minSimilarity` up to 1 are tried, evenly spread, 1 to 20. Each costs some evidence; the
   * lowest that is proven is used. Another number, or another `minSimilarity`, begins with no evidence. Default 5.
   */
  readonly levels?: number | undefined;
  /** Largest share of served answers that may be wrong, above 0 and at most 0.5. Default 0.01. */
  readonly maxErrorRate?: number | undefined;
  /** Probability with which the bound of the error rate holds, 0.5 to 0.9999. Default 0.95. */
  readonly confidence?: number | undefined;
  /** Judged pairs without which nothing is served, whatever the bound; at least 1. Default 100. */
  readonly minObservations?: number | undefined;
  /** Share of calls that are asked anyway once answers are served, so that they can be judged; 0.02 to 1. Default 0.02. */
  readonly exploreRate?: number | undefined;
  /** How long a call waits for the embedder and the index; at least 1 ms. Default `"200ms"`. */
  readonly embedTimeout?: Duration | undefined;
  /** How long a judge may take; at least 1 ms. Default `"30s"`. */
  readonly judgeTimeout?: Duration | undefined;
  /** How long an answer may be given to similar questions; at least 1 ms. A shorter `ttl` of the call goes before it. Default `"1h"`. */
  readonly ttl?: Duration | undefined;
  /** Most messages of the user in a request, the question included; at least 1. Default 1. */
  readonly maxTurns?: number | undefined;
  /** Longest question, in characters; 1 to 20,000. Default 2,000. */
  readonly maxChars?: number | undefined;
}

export interface SemanticOptions extends SemanticTuning {
  /**
   * Gives one vector for each text, all of the same length. `signal` is aborted when nobody waits any more. If it fails,
   * the provider is asked.
   */
  readonly embed: (texts: string[], context: { signal: AbortSignal }) => Promise<ArrayLike<number>[]>;
  /** Which embedder it is, such as `"text-embedding-3-small@1"`: vectors of different ones are never compared. */
  readonly embedder: string;
  /** Says whether the cached answer would have done. Runs behind the call, at most 8 at a time; what is more is not judged. */
  readonly judge?: ((pair: JudgedPair, context: { signal: AbortSignal }) => Promise<boolean>) | undefined;
  /** All of them have to admit a pair. Default `GUARDS`. */
  readonly guards?: readonly Guard[] | undefined;
  /** Default `exactIndex()`. */
  readonly index?: VectorIndex | undefined;
  /** `snapshot().evidence` of an earlier run with the same embedder, to go on with. */
  readonly evidence?: SemanticEvidence | undefined;
  /** Most answers remembered; the one used longest ago makes room. At least 1. Default 10,000. */
  readonly maxEntries?: number | undefined;
  /** Most memory for them, about. Default `"64mb"`; one answer may take a hundredth of it. */
  readonly maxBytes?: Bytes | undefined;
}

/** What judged pairs have told so far, as plain data. */
export interface SemanticEvidence {
  readonly embedder: string;
  readonly levels: readonly LevelEvidence[];
}

export const SEMANTIC_DEFAULTS = {
  mode: "shadow",
  minSimilarity: 0.85,
  levels: 5,
  maxErrorRate: 0.01,
  confidence: 0.95,
  minObservations: 100,
  exploreRate: 0.02,
  embedTimeout: "200ms",
  judgeTimeout: "30s",
  ttl: "1h",
  maxTurns: 1,
  maxChars: 2000,
  maxEntries: 10_000,
  maxBytes: "64mb",
} as const satisfies Partial<SemanticOptions>;

export interface SemanticSettings {
  readonly mode: SemanticMode;
  readonly minSimilarity: number;
  readonly levels: number;
  readonly maxErrorRate: number;
  readonly confidence: number;
  readonly minObservations: number;
  readonly exploreRate: number;
  readonly embedTimeoutMs: number;
  readonly judgeTimeoutMs: number;
  readonly ttlMs: number;
  readonly maxTurns: number;
  readonly maxChars: number;
}

/** What stays as it is from the beginning. */
export interface SemanticParts {
  readonly embed: SemanticOptions["embed"];
  readonly embedder: string;
  readonly judge: SemanticOptions["judge"];
  readonly guards: readonly Guard[];
  readonly index: VectorIndex | undefined;
  readonly evidence: readonly LevelEvidence[];
  readonly maxEntries: number;
  readonly maxBytes: number;
}

const PART_KEYS = ["embed", "embedder", "judge", "guards", "index", "evidence", "maxEntries", "maxBytes"];
const TUNING_KEYS = Object.keys(SEMANTIC_DEFAULTS).filter((key) => !PART_KEYS.includes(key));
const TINY = 1e-6;

/** Reads the tunable options; what is left out stays as in `current`. Throws `OptionError`. */
export function readTuning(options: SemanticTuning, current?: SemanticSettings): SemanticSettings {
  knownKeys("semantic", options, TUNING_KEYS);
  const { embedTimeoutMs, judgeTimeoutMs, ttlMs, ...rest } = current ?? {};
  const durations = { embedTimeout: embedTimeoutMs, judgeTimeout: judgeTimeoutMs, ttl: ttlMs };
  const value = { ...SEMANTIC_DEFAULTS, ...given(durations), ...rest, ...given(options) };
  const ms = (name: "embedTimeout" | "judgeTimeout" | "ttl"): number =>
    durationMs(`semantic.${name}`, value[name], { min: 1 });
  return {
    mode: oneOf("semantic.mode", value.mode, ["shadow", "verified", "threshold"]),
    minSimilarity: numberIn("semantic.minSimilarity", value.minSimilarity, TINY, 1 - TINY),
    levels: integerIn("semantic.levels", value.levels, 1, 20),
    maxErrorRate: numberIn("semantic.maxErrorRate", value.maxErrorRate, TINY, 0.5),
    confidence: numberIn("semantic.confidence", value.confidence, 0.5, 0.9999),
    minObservations: integerIn("semantic.minObservations", value.minObservations, 1),
    exploreRate: numberIn("semantic.exploreRate", value.exploreRate, 0.02, 1),
    embedTimeoutMs: ms("embedTimeout"),
    judgeTimeoutMs: ms("judgeTimeout"),
    ttlMs: ms("ttl"),
    maxTurns: integerIn("semantic.maxTurns", value.maxTurns, 1),
    maxChars: integerIn("semantic.maxChars", value.maxChars, 1, 20_000),
  };
}

/** Reads everything that the factory takes. Throws `OptionError`. */
export function readOptions(options: SemanticOptions): { parts: SemanticParts; settings: SemanticSettings } {
  knownKeys("semantic", options, [...PART_KEYS, ...TUNING_KEYS]);
  const { embed, embedder, judge, guards, index, evidence, maxEntries, maxBytes, ...tuning } = options;
  const name = textOf("semantic.embedder", embedder);
  return {
    settings: readTuning(tuning),
    parts: {
      embed: functionOf("semantic.embed", embed, "a function of texts that gives a vector for each"),
      embedder: name,
      judge: judge === undefined ? undefined : functionOf("semantic.judge", judge),
      guards: readGuards(guards ?? GUARDS),
      index: index === undefined ? undefined : readIndex(index),
      evidence: evidence === undefined ? [] : readEvidence(evidence, name),
      maxEntries: integerIn("semantic.maxEntries", maxEntries ?? SEMANTIC_DEFAULTS.maxEntries, 1),
      maxBytes: byteCount("semantic.maxBytes", maxBytes ?? SEMANTIC_DEFAULTS.maxBytes, { min: 1 }),
    },
  };
}

function readGuards(guards: unknown): readonly Guard[] {
  if (!Array.isArray(guards)) throw new OptionError("semantic.guards", guards, "an array of guards, such as GUARDS");
  for (const [at, guard] of guards.entries()) {
    if (typeof guard?.name === "string" && typeof guard.admits === "function") continue;
    throw new OptionError(`semantic.guards[${at}]`, guard, "a guard: an object with `name` and `admits`");
  }
  return guards;
}

function readIndex(index: VectorIndex): VectorIndex {
  for (const method of ["add", "search", "delete"] as const) {
    if (typeof index?.[method] === "function") continue;
    throw new OptionError("semantic.index", index, "an index: an object with `add`, `search` and `delete`");
  }
  return index;
}

function readEvidence(evidence: unknown, embedder: string): readonly LevelEvidence[] {
  const { embedder: of, levels } = (evidence ?? {}) as Partial<SemanticEvidence>;
  if (of !== embedder) {
    throw new OptionError("semantic.evidence.embedder", of, `evidence of the embedder "${embedder}"`);
  }
  if (!Array.isArray(levels)) throw new OptionError("semantic.evidence.levels", levels, "levels of a snapshot");
  for (const [at, { minSimilarity, judged, errors }] of levels.entries()) {
    numberIn(`semantic.evidence.levels[${at}].minSimilarity`, minSimilarity, 0, 1);
    integerIn(`semantic.evidence.levels[${at}].judged`, judged, 0);
    integerIn(`semantic.evidence.levels[${at}].errors`, errors, 0, judged);
  }
  return levels;
}

// An option that is `undefined` is one that was not given.
function given<T extends object>(options: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };
}
