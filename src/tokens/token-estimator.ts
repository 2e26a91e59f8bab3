import type { Call, Usage } from "../core/index.ts";

/** Tokens that a call will probably take. */
export interface Estimate {
  readonly input: number;
  readonly output: number;
}

const MODELS_MAX = 1_000;
const TOKENS_PER_CHAR = 0.25;
/** What a prompt costs beside its text: roles, separators. */
const OVERHEAD_TOKENS = 8;
/** Characters of experience that the first guess of a model is worth. */
const PRIOR_CHARS = 1_000;
const MEMORY = 0.95;
const UNKNOWN_OUTPUT_TOKENS = 512;
const OUTPUTS_KEPT = 128;
const OUTPUTS_BEFORE_JUDGING = 8;
const QUANTILE = 0.8;
const RECOMPUTE_EVERY = 16;

/** Estimates tokens before a call from what the calls before it really used, model by model. */
export class TokenEstimator {
  // In the order in which they last taught something; the oldest is forgotten first.
  #models = new Map<string, ModelExperience>();

  estimate(call: Call): Estimate {
    const experience = this.#models.get(call.model);
    const ratio = experience?.tokensPerChar ?? TOKENS_PER_CHAR;
    const usual = experience?.usualOutput ?? UNKNOWN_OUTPUT_TOKENS;
    return {
      input: Math.ceil(call.inputChars * ratio) + OVERHEAD_TOKENS,
      output: Math.min(call.maxOutputTokens ?? Number.POSITIVE_INFINITY, usual),
    };
  }

  learn(call: Call, usage: Usage): void {
    const experience = this.#models.get(call.model) ?? new ModelExperience();
    this.#models.delete(call.model);
    this.#models.set(call.model, experience);
    if (this.#models.size > MODELS_MAX) this.#forgetOldest();
    experience.add(call.inputChars, usage);
  }

  #forgetOldest(): void {
    const oldest = this.#models.keys().next();
    if (oldest.done !== true) this.#models.delete(oldest.value);
  }
}

class ModelExperience {
  #chars = PRIOR_CHARS;
  #tokens = PRIOR_CHARS * TOKENS_PER_CHAR;
  #outputs = new Float64Array(OUTPUTS_KEPT);
  #count = 0;
  #quantile: number | undefined;

  get tokensPerChar(): number {
    return this.#tokens / this.#chars;
  }

  /** The length that four of five answers do not pass; `undefined` while too few are known. */
  get usualOutput(): number | undefined {
    return this.#quantile;
  }

  add(inputChars: number, usage: Usage): void {
    if (inputChars > 0) {
      this.#chars = this.#chars * MEMORY + inputChars;
      this.#tokens = this.#tokens * MEMORY + Math.max(0, usage.inputTokens - OVERHEAD_TOKENS);
    }
    this.#outputs[this.#count % OUTPUTS_KEPT] = usage.outputTokens;
    this.#count++;
    if (this.#count === OUTPUTS_BEFORE_JUDGING || this.#count % RECOMPUTE_EVERY === 0) this.#recompute();
  }

  #recompute(): void {
    const kept = Math.min(this.#count, OUTPUTS_KEPT);
    const sorted = this.#outputs.slice(0, kept).sort();
    this.#quantile = sorted[Math.floor(QUANTILE * (kept - 1))];
  }
}
