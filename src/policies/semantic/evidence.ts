import { Drift } from "./drift.ts";
import { errorBound } from "./error-bound.ts";

/** What a level has to reach before answers are served from it on. */
export interface EvidenceRule {
  readonly maxErrorRate: number;
  /** Probability of ever serving from a level whose error rate is above `maxErrorRate`, all levels together. */
  readonly alpha: number;
  readonly minObservations: number;
}

export interface LevelEvidence {
  readonly minSimilarity: number;
  /** Pairs of at least this similarity that were judged. */
  readonly judged: number;
  readonly errors: number;
  /** No more than this share of such pairs is wrong, at the confidence asked for. */
  readonly errorBound: number;
}

/** Pairs between two false alarms of drift, at least and on average, times `alpha`: 200 at a confidence of 95 %. */
const DRIFT_CALM = 10;

class Level implements LevelEvidence {
  readonly minSimilarity: number;
  judged = 0;
  errors = 0;
  errorBound = 1;

  constructor(minSimilarity: number) {
    this.minSimilarity = minSimilarity;
  }
}

/**
 * What judged pairs say of each level of similarity. Answers may be served from the lowest level whose bound holds. The
 * levels share the probability of being wrong about one of them (Bonferroni), since the best of them is chosen.
 */
export class Evidence {
  /** Lowest first. */
  readonly #levels: readonly Level[];
  readonly #drift = new Drift();
  #rule: EvidenceRule;
  #serving: Level | undefined;

  constructor(minSimilarities: readonly number[], rule: EvidenceRule) {
    this.#levels = minSimilarities.map((similarity) => new Level(similarity));
    this.#rule = rule;
  }

  /** The level from which on answers may be served. */
  get serving(): LevelEvidence | undefined {
    return this.#serving;
  }

  get levels(): readonly LevelEvidence[] {
    return this.#levels.map((level) => ({ ...level }));
  }

  /** What is known of pairs of at least this similarity. */
  at(minSimilarity: number): LevelEvidence | undefined {
    return this.#levels.find((level) => level.minSimilarity === minSimilarity);
  }

  /** Takes a judged pair into account. True when it made the errors too frequent: then all evidence is gone. */
  observe(similarity: number, wrong: boolean): boolean {
    for (const level of this.#levels) {
      if (similarity < level.minSimilarity) break;
      level.judged++;
      if (wrong) level.errors++;
      this.#bound(level);
    }
    const served = this.#serving !== undefined && similarity >= this.#serving.minSimilarity;
    const { maxErrorRate, alpha } = this.#rule;
    const drifted = served && this.#drift.observe(wrong, maxErrorRate, DRIFT_CALM / alpha);
    if (drifted) this.#forget();
    this.#choose();
    return drifted;
  }

  /** Goes on with what was known before, where the levels are the same ones. */
  resume(levels: readonly LevelEvidence[]): void {
    for (const { minSimilarity, judged, errors } of levels) {
      const level = this.#levels.find((one) => one.minSimilarity === minSimilarity);
      if (level !== undefined) Object.assign(level, { judged, errors });
    }
    this.judgeBy(this.#rule);
  }

  /** The same counts under another rule. */
  judgeBy(rule: EvidenceRule): void {
    this.#rule = rule;
    for (const level of this.#levels) this.#bound(level);
    this.#choose();
  }

  #bound(level: Level): void {
    level.errorBound = errorBound(level.errors, level.judged, this.#rule.alpha / this.#levels.length);
  }

  #choose(): void {
    const { maxErrorRate, minObservations } = this.#rule;
    this.#serving = this.#levels.find((level) => level.judged >= minObservations && level.errorBound <= maxErrorRate);
  }

  #forget(): void {
    for (const level of this.#levels) Object.assign(level, { judged: 0, errors: 0, errorBound: 1 });
  }
}
