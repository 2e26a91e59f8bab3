import { type Call, fingerprintOf } from "../../core/index.ts";
import type { SemanticSettings } from "./options.ts";

/** A question that may be compared with others of its partition. */
export interface Asked {
  readonly text: string;
  /** One-way name of everything else: whose question it is, to whom, and the whole rest of the request. */
  readonly partition: string;
  /** One-way name of the question itself. */
  readonly id: string;
}

/** The question of a call; `undefined` when it is none that could be compared. */
export function questionOf(call: Call, embedder: string, { maxTurns, maxChars }: SemanticSettings): Asked | undefined {
  try {
    const question = call.wire.question?.(call);
    if (question === undefined || "bypass" in call.identity) return undefined;
    const { text, turns, context } = question;
    if (text.length > maxChars || text.trim() === "" || turns > maxTurns) return undefined;
    const { credential, provider, endpoint, operation, model, variant, scope } = call;
    const owner = [credential, scope.client ?? null];
    const place = [call.wire.name, provider, endpoint, operation, model, scope.route ?? null, variant];
    const partition = fingerprintOf(["semantic", owner, place, embedder, context]).key;
    return { text, partition, id: fingerprintOf(["semantic", partition, text]).key };
  } catch {
    // Something in the request has no canonical form.
    return undefined;
  }
}
