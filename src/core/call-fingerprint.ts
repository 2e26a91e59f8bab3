import { hash } from "node:crypto";
import type { Call } from "./call.ts";
import { type PromptPiece, promptPieces } from "./prompt-pieces.ts";
import type { PromptPart } from "./wire.ts";

/** What a call has in common with others, without a word of its text. */
export interface CallFingerprint {
  /** One-way name of the question: the key of its cache entry. Absent where the call is one of a kind. */
  readonly question: string | undefined;
  /** One-way name of what calls of one prompt template have in common; absent where the prompt cannot be read. */
  readonly template: string | undefined;
  /** Characters of the whole input. */
  readonly inputChars: number;
  /** The prompt from its beginning, as far as it was read. */
  readonly pieces: readonly PromptPiece[];
}

const TEMPLATE_CHARS = 256;
const TURN_CHARS = 64;
const NAME_CHARS = 11;
/** A fresh date, id or count does not make another template. */
const WORD_WITH_DIGIT = /[\p{L}_-]*\d[\p{L}\d_:.,-]*/gu;

/** Reads a call's fingerprint. Never throws. */
export function fingerprintedCall(call: Call): CallFingerprint {
  const parts = partsOf(call);
  return {
    question: questionOf(call),
    template: parts.length === 0 ? undefined : templateOf(call.operation, parts),
    inputChars: call.inputChars,
    pieces: promptPieces(parts.map(({ text }) => text)),
  };
}

/**
 * One-way name of a prompt template: of the first 256 characters of what is fixed in it, and where nothing is, of the
 * first 64 of what is said. Words with digits count as the same.
 */
export function templateOf(operation: string, parts: readonly PromptPart[]): string {
  const fixed = parts.filter((part) => part.of === "fixed");
  const begun = fixed.length > 0 ? beginningOf(fixed, TEMPLATE_CHARS) : beginningOf(parts, TURN_CHARS);
  return hash("sha256", `breakwater.template\u0000${operation}\u0000${begun}`, "base64url").slice(0, NAME_CHARS);
}

function beginningOf(parts: readonly PromptPart[], chars: number): string {
  let text = "";
  for (const part of parts) {
    // Twice as much is enough to have so much left.
    text += `${part.text.slice(0, chars * 2).replace(WORD_WITH_DIGIT, "0")}\n`;
    if (text.length >= chars) break;
  }
  return text.slice(0, chars);
}

// A request that cannot be encoded, or a wire of somebody else's that throws: such a call is like no other.
function questionOf(call: Call): string | undefined {
  try {
    return call.fingerprint()?.key;
  } catch {
    return undefined;
  }
}

function partsOf(call: Call): readonly PromptPart[] {
  try {
    return call.wire.promptParts?.(call) ?? [];
  } catch {
    return [];
  }
}
