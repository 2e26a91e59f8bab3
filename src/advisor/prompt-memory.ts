import type { PromptPiece } from "../core/index.ts";
import { Recent } from "./recent.ts";

/** How much of a prompt the provider has lately seen, in characters. */
export interface Familiar {
  /** At its beginning: what a provider's prompt cache can serve. */
  readonly leading: number;
  /** Behind something new: what it could serve if that came last. */
  readonly behind: number;
}

const PIECES_MAX = 32_768;
// Providers forget a prompt that is not used for five to ten minutes.
const KEPT_MS = 600_000;
const FNV_OFFSET = 0x811c_9dc5;
const FNV_PRIME = 0x0100_0193;
// Keeps what stands alone apart from what stands behind everything before it.
const CHAINED = 0x5bd1_e995;

/** What prompts were lately sent, as hashes of their pieces. */
export class PromptMemory {
  readonly #recent = new Recent<number>(PIECES_MAX);

  /** Compares a prompt with those that `scope`, a provider and model, was sent before, and remembers it. */
  see(scope: string, pieces: readonly PromptPiece[], now: number): Familiar {
    const seed = hashOf(scope);
    const alone = pieces.map(({ hash }) => mixed(seed, hash));
    const chain: number[] = [];
    let link = mixed(seed, CHAINED);
    for (const { hash } of pieces) {
      link = mixed(link, hash);
      chain.push(link);
    }
    let leading = 0;
    let behind = 0;
    let isLeading = true;
    pieces.forEach(({ chars }, at) => {
      isLeading &&= this.#isKnown(chain[at] as number, now);
      if (isLeading) leading += chars;
      else if (this.#isKnown(alone[at] as number, now)) behind += chars;
    });
    // Only now, or a piece that occurs twice would know itself.
    for (const name of [...alone, ...chain]) this.#recent.see(name, now);
    return { leading, behind };
  }

  #isKnown(name: number, now: number): boolean {
    const seenAt = this.#recent.seenAt(name);
    return seenAt !== undefined && now - seenAt <= KEPT_MS;
  }
}

function hashOf(text: string): number {
  let hash = FNV_OFFSET;
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), FNV_PRIME);
  return hash >>> 0;
}

// Finalizer of MurmurHash3 (Appleby, 2011): every bit of both counts.
function mixed(a: number, b: number): number {
  let hash = Math.imul(a ^ (a >>> 15), 0x85eb_ca6b) ^ b;
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2_ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
