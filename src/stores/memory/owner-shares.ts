import type { Eviction, EvictionItem, EvictionPolicy } from "../eviction/index.ts";
import { type Held, Ranked } from "./held.ts";

// The second place of an entry, and what an owner's policy takes: measured.
const OWNED_BYTES = 200;
const OWNER_BYTES = 900;

interface Owner {
  readonly policy: EvictionPolicy;
  bytes: number;
}

/**
 * What each owner takes, ranked by a policy of its own: so an owner that has its share gives up what is worth least to
 * itself, and takes nothing from others.
 */
export class OwnerShares {
  /** What the ranking itself takes. */
  overheadBytes = 0;
  readonly #owners = new Map<string, Owner>();
  readonly #eviction: Eviction;
  readonly #maxBytes: number;

  constructor(eviction: Eviction, maxBytes: number) {
    this.#eviction = eviction;
    this.#maxBytes = maxBytes;
  }

  onHit({ own, entry }: Held): void {
    if (own !== undefined) this.#owners.get(entry.owner)?.policy.onHit(own);
  }

  /** An entry that belongs to nobody has no share to keep to. */
  onInsert(held: Held): void {
    const { owner: name } = held.entry;
    if (name === "") return;
    const owner = this.#owners.get(name) ?? this.#newOwner(name);
    owner.bytes += held.bytes;
    this.overheadBytes += OWNED_BYTES;
    held.own = new Ranked(held.key, held.entry, held.bytes);
    held.own.uses = held.uses;
    owner.policy.onInsert(held.own);
  }

  /** Whether the owner of `held` has more than its share. */
  isOver({ entry }: Held): boolean {
    return (this.#owners.get(entry.owner)?.bytes ?? 0) > this.#maxBytes;
  }

  /** What is worth least to the owner of `held`, taken out of its ranking. */
  victim({ entry }: Held): EvictionItem | undefined {
    return this.#owners.get(entry.owner)?.policy.victim();
  }

  remove({ own, entry, bytes }: Held): void {
    const owner = this.#owners.get(entry.owner);
    if (owner === undefined || own === undefined) return;
    own.place?.remove(own);
    owner.bytes -= bytes;
    this.overheadBytes -= OWNED_BYTES;
    if (owner.bytes > 0) return;
    this.#owners.delete(entry.owner);
    this.overheadBytes -= OWNER_BYTES;
  }

  #newOwner(name: string): Owner {
    const owner = { policy: this.#eviction.create(), bytes: 0 };
    this.#owners.set(name, owner);
    this.overheadBytes += OWNER_BYTES;
    return owner;
  }
}
