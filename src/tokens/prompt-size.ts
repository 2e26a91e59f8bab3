/** Before anything was learned: four characters a token. */
const FIRST_PER_CHAR = 0.25;
const PER_CHAR_SPREAD = 0.1;
/** What is added to the first guess, in tokens, to be on the safe side. */
const FIRST_MARGIN = 8;
/** What may stand around the text of a prompt, in tokens. A model may put hundreds of its own before tools. */
const OVERHEAD_SPREAD = 20;
const OVERHEAD_SPREAD_OF_TOOLS = 100;
/** The relative error that is taken for chance. */
const NOISE = 0.1;
const FEWEST_TOKENS = 16;
/** An answer's weight halves within 35 others. */
const MEMORY = 0.98;
/** A prompt counts as at most so many times what was expected of it, or as little. */
const STEP_MAX = 16;
const PER_CHAR_MIN = 0.01;

/**
 * The tokens of prompts of one kind, as an overhead and so much for each character: ridge regression on relative errors,
 * with forgetting, towards the first guess without its margin, which is never forgotten (Hoerl and Kennard, 1970).
 */
export class PromptSize {
  readonly #overheadPrecision: number;
  #overhead = FIRST_MARGIN;
  #perChar = FIRST_PER_CHAR;
  // Sums over the lessons, weighted: of 1, chars, chars squared, error, error times chars; errors are those of the first guess.
  #ones = 0;
  #chars = 0;
  #squares = 0;
  #errors = 0;
  #products = 0;

  constructor(hasTools: boolean) {
    this.#overheadPrecision = (hasTools ? OVERHEAD_SPREAD_OF_TOOLS : OVERHEAD_SPREAD) ** -2;
  }

  tokens(chars: number): number {
    return Math.max(1, this.#overhead + this.#perChar * chars);
  }

  learn(chars: number, tokens: number): void {
    const expected = this.tokens(chars);
    const counted = Math.min(expected * STEP_MAX, Math.max(expected / STEP_MAX, tokens));
    const weight = (NOISE * Math.max(FEWEST_TOKENS, Math.sqrt(counted * expected))) ** -2;
    const error = counted - FIRST_PER_CHAR * chars;
    this.#ones = this.#ones * MEMORY + weight;
    this.#chars = this.#chars * MEMORY + weight * chars;
    this.#squares = this.#squares * MEMORY + weight * chars * chars;
    this.#errors = this.#errors * MEMORY + weight * error;
    this.#products = this.#products * MEMORY + weight * error * chars;
    this.#solve();
  }

  #solve(): void {
    const ones = this.#ones + this.#overheadPrecision;
    const squares = this.#squares + PER_CHAR_SPREAD ** -2;
    const determinant = ones * squares - this.#chars ** 2;
    this.#overhead = (squares * this.#errors - this.#chars * this.#products) / determinant;
    const perChar = FIRST_PER_CHAR + (ones * this.#products - this.#chars * this.#errors) / determinant;
    // More text never takes fewer tokens.
    this.#perChar = Math.max(PER_CHAR_MIN, perChar);
  }
}
