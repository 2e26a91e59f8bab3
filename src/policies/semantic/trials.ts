import type { Call, Cancellation, EventMap, KeptAnswer, Runtime } from "../../core/index.ts";
import { Cases } from "./cases.ts";
import { Evidence, type EvidenceRule, type LevelEvidence } from "./evidence.ts";
import type { Failures } from "./failures.ts";
import type { Candidate } from "./finder.ts";
import { Judging } from "./judging.ts";
import type { SemanticParts, SemanticSettings } from "./options.ts";

/** How good the answers of similar questions are, and whether that is good enough to serve them. */
export class Trials {
  readonly counts = { shadowed: 0, judged: 0, wrong: 0 };
  readonly judging: Judging;
  readonly #hasJudge: boolean;
  readonly #cases = new Cases();
  readonly #runtime: Runtime;
  #settings: SemanticSettings;
  #evidence: Evidence;
  #announced: number | undefined;

  constructor(
    parts: SemanticParts,
    settings: SemanticSettings,
    failures: Failures,
    closing: Cancellation,
    runtime: Runtime,
  ) {
    this.judging = new Judging(parts.judge, failures, closing, runtime);
    this.#hasJudge = parts.judge !== undefined;
    this.#settings = settings;
    this.#runtime = runtime;
    this.#evidence = new Evidence(levelsOf(settings), ruleOf(settings));
    this.#evidence.resume(parts.evidence);
    this.#announce("options");
  }

  get levels(): readonly LevelEvidence[] {
    return this.#evidence.levels;
  }

  /** The similarity from which on answers are served; `undefined` while none are. */
  get servesFrom(): number | undefined {
    const { mode, minSimilarity } = this.#settings;
    if (mode === "shadow") return undefined;
    return mode === "threshold" ? minSimilarity : this.#evidence.serving?.minSimilarity;
  }

  /** The bound of the error rate of what is served, if anything is known of it. */
  get errorBound(): number | undefined {
    const level = this.servesFrom === undefined ? undefined : this.#evidence.at(this.servesFrom);
    return level === undefined || level.judged === 0 ? undefined : level.errorBound;
  }

  configure(settings: SemanticSettings): void {
    const { minSimilarity, levels } = this.#settings;
    this.#settings = settings;
    if (settings.minSimilarity === minSimilarity && settings.levels === levels) {
      this.#evidence.judgeBy(ruleOf(settings));
    } else {
      this.#evidence = new Evidence(levelsOf(settings), ruleOf(settings));
    }
    this.#announce("options");
  }

  /**
   * Whether a call is to be asked although it could be served. One coin for every call, whatever is found for it: so
   * what is judged is a fair sample of what could be served.
   */
  explores(): boolean {
    const { mode, exploreRate } = this.#settings;
    if (mode === "threshold" && !this.#hasJudge) return false;
    return this.#runtime.random() < exploreRate;
  }

  served(call: Call, { entry, similarity }: Candidate): void {
    this.#cases.add(call.id, { similarity, entry: entry.id, served: true, judged: false });
  }

  /** The provider was asked although `candidate` had an answer: finds out whether that would have done. */
  async watch(call: Call, question: string, { entry, similarity }: Candidate, fresh: KeptAnswer): Promise<void> {
    const { events } = this.#runtime;
    this.counts.shadowed++;
    if (events.wants("semantic.shadow")) events.emit("semantic.shadow", call, { similarity });
    const watched = this.#cases.add(call.id, { similarity, entry: entry.id, served: false, judged: false });
    const cachedAnswer = textOf(call, entry.answer);
    const freshAnswer = textOf(call, fresh);
    if (cachedAnswer === undefined || freshAnswer === undefined) return;
    const pair = { question, cachedQuestion: entry.text, cachedAnswer, freshAnswer };
    const right = await this.judging.ask(pair, this.#settings.judgeTimeoutMs);
    if (right === undefined || watched.judged) return;
    watched.judged = true;
    this.#observe(call, similarity, !right, "judge");
  }

  /** What somebody found out later: the entry that gave a wrong answer, `true` for another known call. */
  report(callId: string, wrong: boolean): { readonly wrongEntry: string | undefined } | undefined {
    const found = this.#cases.get(callId);
    if (found === undefined) return undefined;
    const { served, similarity, entry } = found;
    // People report what is wrong: what they say of the rest of the answers served is no fair sample.
    if (!found.judged && (wrong || !served)) {
      found.judged = true;
      this.#observe(undefined, similarity, wrong, "report");
    }
    return { wrongEntry: served && wrong ? entry : undefined };
  }

  #observe(call: Call | undefined, similarity: number, wrong: boolean, by: "judge" | "report"): void {
    this.counts.judged++;
    if (wrong) this.counts.wrong++;
    this.#runtime.events.emit("semantic.judged", call, { similarity, wrong, by });
    const drifted = this.#evidence.observe(similarity, wrong);
    this.#announce(drifted ? "drift" : "bound");
  }

  #announce(reason: EventMap["semantic.disabled"]["reason"]): void {
    const from = this.servesFrom;
    if (from === this.#announced) return;
    this.#announced = from;
    const { events } = this.#runtime;
    if (from === undefined) {
      events.emit("semantic.disabled", undefined, { reason });
    } else {
      const judged = this.#evidence.at(from)?.judged ?? 0;
      events.emit("semantic.enabled", undefined, { minSimilarity: from, errorBound: this.errorBound, judged });
    }
  }
}

function levelsOf({ minSimilarity, levels }: SemanticSettings): readonly number[] {
  const step = (1 - minSimilarity) / levels;
  return Array.from({ length: levels }, (_, at) => Number((minSimilarity + step * at).toFixed(6)));
}

function ruleOf({ maxErrorRate, confidence, minObservations }: SemanticSettings): EvidenceRule {
  return { maxErrorRate, alpha: 1 - confidence, minObservations };
}

function textOf(call: Call, answer: KeptAnswer): string | undefined {
  try {
    return call.wire.answerText?.(call, answer);
  } catch {
    return undefined;
  }
}
