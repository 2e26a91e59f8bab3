import { type Call, fingerprintOf } from "../../core/index.ts";

const PREFIXES_MAX = 10_000;

interface Stuck {
  readonly place: string;
  readonly until: number;
}

/**
 * Which place has served the calls whose prompts begin alike, and so has their beginning in its prompt cache. Prompts
 * are known by a one-way name only. The least lately used are forgotten first.
 */
export class Affinity {
  #stuck = new Map<string, Stuck>();

  /** The name of how the call's prompt begins; `undefined` where its wire cannot tell. */
  nameOf(call: Call): string | undefined {
    const beginning = call.wire.promptBeginning?.(call);
    return beginning === undefined ? undefined : fingerprintOf([call.model, call.credential, beginning]).key;
  }

  placeOf(name: string, now: number): string | undefined {
    const stuck = this.#stuck.get(name);
    if (stuck === undefined || now < stuck.until) return stuck?.place;
    this.#stuck.delete(name);
    return undefined;
  }

  served(name: string, place: string, until: number): void {
    this.#stuck.delete(name);
    this.#stuck.set(name, { place, until });
    if (this.#stuck.size <= PREFIXES_MAX) return;
    const oldest = this.#stuck.keys().next();
    if (oldest.done !== true) this.#stuck.delete(oldest.value);
  }

  get size(): number {
    return this.#stuck.size;
  }
}
