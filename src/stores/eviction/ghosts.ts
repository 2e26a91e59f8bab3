const WAYS = 8;
const WORDS = 2;
const FIRST_ROOM = 512;
const USES_MAX = 255;
// 24 bits of a word, beside 8 for the uses.
const NUMBER_MASK = 0xff_ff_ff;

const NOTHING = new Uint32Array();

/**
 * What has been evicted of late: a hash of the key and how often it had been used, in 8 bytes, without the entry.
 * Buckets of eight, newest first; one that is full forgets its oldest. So it is small and bounded, and forgets a few
 * before their time.
 */
export class Ghosts {
  /** Of each, its hash; then the number of its eviction and its uses. 0 and 0 is none. */
  #words = NOTHING;
  #number = 0;

  /** Remembers an eviction; there is room for the last `depth` of them. */
  add(hash: number, uses: number, depth: number): void {
    while (this.#room < depth || this.#room === 0) this.#grow();
    this.#number = (this.#number + 1) & NUMBER_MASK;
    this.#put(hash, ((this.#number << 8) | Math.min(Math.ceil(uses), USES_MAX)) >>> 0);
  }

  /** How often an entry of this hash had been used when it was evicted; 0 if it is not among the last `depth`. */
  usesOf(hash: number, depth: number): number {
    if (this.#room === 0) return 0;
    const from = this.#bucket(hash);
    for (let at = from; at < from + WAYS * WORDS; at += WORDS) {
      if (this.#words[at] !== hash) continue;
      const known = this.#words[at + 1] as number;
      const age = (this.#number - (known >>> 8)) & NUMBER_MASK;
      return age < depth ? known & USES_MAX : 0;
    }
    return 0;
  }

  get #room(): number {
    return this.#words.length / WORDS;
  }

  /** Index of the first word of the bucket of a hash. */
  #bucket(hash: number): number {
    return (hash & (this.#room / WAYS - 1)) * WAYS * WORDS;
  }

  #put(hash: number, known: number): void {
    const from = this.#bucket(hash);
    const last = from + (WAYS - 1) * WORDS;
    let at = from;
    while (at < last && this.#words[at] !== hash) at += WORDS;
    this.#words.copyWithin(from + WORDS, from, at);
    this.#words[from] = hash;
    this.#words[from + 1] = known;
  }

  #grow(): void {
    const old = this.#words;
    this.#words = new Uint32Array(Math.max(FIRST_ROOM * WORDS, old.length * 2));
    // Backwards, so that the newest of a bucket comes last and stands first again.
    for (let at = old.length - WORDS; at >= 0; at -= WORDS) {
      if (old[at + 1] !== 0) this.#put(old[at] as number, old[at + 1] as number);
    }
  }
}
