import type { Call } from "./call.ts";
import { OptionError } from "./errors.ts";
import { integerIn, knownKeys } from "./options.ts";
import type { Outcome } from "./reply.ts";
import { contentTokens } from "./wire.ts";

/**
 * How much of a streamed answer must have come before any of it is handed out: until then a failure can be answered by
 * another try without the caller seeing it. `tokens` are counted as `contentTokens` does: about four characters each.
 */
export type Commit = "firstContent" | { readonly tokens: number } | "complete";

const COMMIT_TOKENS_MAX = 16_384;

/** Reads a commit point. Throws {@link OptionError}. */
export function readCommit(option: string, value: unknown): Commit {
  if (value === "firstContent" || value === "complete") return value;
  if (typeof value !== "object" || value === null) {
    throw new OptionError(option, value, '"firstContent", "complete" or { tokens: number }');
  }
  const { tokens } = knownKeys(option, value, ["tokens"]);
  return { tokens: integerIn(`${option}.tokens`, tokens, 1, COMMIT_TOKENS_MAX) };
}

/** Reads a streamed reply to its commit point; one that fails before becomes its fault. Others are given back as they are. */
export async function readToCommit(commit: Commit, call: Call, outcome: Outcome): Promise<Outcome> {
  if (!outcome.ok || outcome.body.kind !== "stream") return outcome;
  return (await outcome.body.prime(commit, (chunk) => contentTokens(call, chunk))) ?? outcome;
}
