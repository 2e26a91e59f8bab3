/**
 * Answers questions that are put in other words than the one that was answered before.
 *
 * @module
 */
import { booleanOf, defaultRuntime, functionOf, type Policy, type Runtime, tagList, textOf } from "../../core/index.ts";
import type { Part } from "./failures.ts";
import {
  readOptions,
  readTuning,
  type SemanticEvidence,
  type SemanticOptions,
  type SemanticSettings,
  type SemanticTuning,
} from "./options.ts";
import { Semantic } from "./semantic.ts";

export type { LevelEvidence } from "./evidence.ts";
export {
  askedForGuard,
  GUARDS,
  type Guard,
  languageGuard,
  namesGuard,
  negationGuard,
  numbersGuard,
  orderGuard,
  sameWordsGuard,
} from "./guards.ts";
export {
  type JudgedPair,
  SEMANTIC_DEFAULTS,
  type SemanticEvidence,
  type SemanticMode,
  type SemanticOptions,
  type SemanticTuning,
} from "./options.ts";
export { exactIndex, type VectorIndex } from "./vector-index.ts";

export interface SemanticSnapshot extends SemanticSettings {
  /** The similarity from which on answers are served; `undefined` while none are. */
  readonly servesFrom: number | undefined;
  /** Upper bound of the error rate of what is served; `undefined` while nothing is served or nothing was judged. */
  readonly errorBound: number | undefined;
  /** What judged pairs have told, by level: may be given to another run as its option `evidence`. */
  readonly evidence: SemanticEvidence;
  readonly entries: number;
  /** About how much memory they take. */
  readonly bytes: number;
  readonly hits: number;
  /** Calls whose question could be compared, and that the provider was asked for. */
  readonly misses: number;
  /** Calls that hold no question that could be compared. */
  readonly ineligible: number;
  /** Calls for which a similar question had an answer, and that were asked all the same. */
  readonly shadowed: number;
  readonly judged: number;
  /** Of those judged. */
  readonly wrong: number;
  /** Pairs that were not judged because too many were being judged. */
  readonly unjudged: number;
  /** Pairs that each guard objected to. */
  readonly guarded: Readonly<Record<string, number>>;
  readonly failures: Readonly<Record<Part, number>>;
}

export interface SemanticPolicy extends Policy {
  readonly name: "semantic";
  readonly runtime: Runtime;
  /**
   * Tells whether the answer that a call got, or could have got, from a similar question is wrong. One that was served
   * and is wrong is forgotten and counts as an error; one that was served and is right does not count, because people
   * report what is wrong. Of calls that were asked all the same, the first word counts. False for a call that is not
   * known: it was no case for this policy, or 10,000 others came after it. Throws `OptionError`.
   */
  report(callId: string, wrong: boolean): boolean;
  /** Forgets every answer that carries one of `tags`; answers on their way are not kept. Throws `OptionError`. */
  invalidateTags(tags: readonly string[]): void;
  /** Forgets every answer whose `Call.label` matches; answers on their way are not kept. Throws `OptionError`. */
  invalidateLabels(matches: (label: string) => boolean): void;
  /** Forgets the answer that the exact cache keeps under `cacheKey`; see `explain`. Throws `OptionError`. */
  invalidateKey(cacheKey: string): void;
  /** Forgets every answer, but not what was learned about similarity. */
  clear(): void;
  /** Waits until every answer that has ended is remembered and judged, as far as it will be. */
  flush(): Promise<void>;
  /** Changes the running policy; what is left out stays. Throws `OptionError` and then changes nothing. */
  update(options: SemanticTuning): void;
  snapshot(): SemanticSnapshot;
  /** Forgets everything. Calls then pass by. */
  close(): void;
}

/** A semantic cache that has not been opened: options that have been read. */
export interface SemanticTier {
  readonly name: "semantic";
  /** A policy of its own for one line. Default runtime: that of the process. */
  open(runtime?: Runtime): SemanticPolicy;
}

/**
 * Answers a question with the answer to a similar one, when judged pairs prove that this is wrong rarely enough. Stands in
 * the call ring, inside the exact cache and outside everything that asks the provider.
 *
 * Questions are compared only when everything else is the same: credential, client, route, provider, model, and the rest
 * of the request, system prompt, tools and earlier turns included. By default nothing is served and no call waits: what
 * could be served is only watched.
 *
 * Throws `OptionError`.
 */
export function semantic(options: SemanticOptions): SemanticTier {
  const { parts, settings } = readOptions(options);
  return {
    name: "semantic",
    open: (runtime = defaultRuntime()) => policyOf(new Semantic(parts, settings, runtime), parts.embedder, runtime),
  };
}

function policyOf(core: Semantic, embedder: string, runtime: Runtime): SemanticPolicy {
  const { trials, memory } = core;
  return {
    name: "semantic",
    ring: "call",
    runtime,
    handle: (call, next) => core.handle(call, next),
    report: (callId, wrong) => core.report(textOf("callId", callId), booleanOf("wrong", wrong)),
    invalidateTags: (tags) => core.invalidateTags(tagList("tags", tags)),
    invalidateLabels(matches) {
      functionOf("matches", matches);
      core.invalidate(({ label }) => matches(label));
    },
    invalidateKey(cacheKey) {
      const key = textOf("cacheKey", cacheKey);
      core.invalidate((entry) => entry.cacheKey === key);
    },
    clear: () => core.invalidate(() => true),
    flush: () => core.flush(),
    update: (changes) => core.configure(readTuning(changes, core.settings)),
    snapshot: () => ({
      ...core.settings,
      servesFrom: trials.servesFrom,
      errorBound: trials.errorBound,
      evidence: { embedder, levels: trials.levels },
      entries: memory.entries,
      bytes: memory.bytes,
      ...core.counts,
      ...trials.counts,
      unjudged: trials.judging.dropped,
      guarded: { ...core.finder.guarded },
      failures: { ...core.failures.counts },
    }),
    close: () => core.close(),
  };
}
