import type { Call } from "../core/index.ts";

/**
 * Counts the tokens of a call's prompt as its provider does; `undefined`: it cannot, or not within the time that a call
 * may take, and the estimate stands. Called in the line of the call. One that throws counts as `undefined`.
 */
export type TokenCounter = (call: Call) => number | undefined;
