const CONTENTS_MAX = 64;
const WEIGHT = 0.1;
const TRIED_FIRST = 4;
const TRY_EVERY = 32;

interface Saving {
  /** Moving average of what was saved, 0 to 1 of the input; below 0 where it grew. */
  average: number;
  tried: number;
  skipped: number;
}

/** What compressing each kind of content has saved. */
export type SavingsSnapshot = Readonly<Record<string, Readonly<Saving>>>;

/**
 * Learns which kinds of content are worth compressing, by an exponential moving average of what each has saved. At most
 * 64 kinds; then the one that came first is forgotten.
 */
export class Savings {
  readonly #minSaved: number;
  readonly #contents = new Map<string, Saving>();

  constructor(minSaved: number) {
    this.#minSaved = minSaved;
  }

  /** Of a kind that does not pay only every 32nd is tried. */
  worthTrying(content: string): boolean {
    const saving = this.#contents.get(content);
    if (saving === undefined || saving.tried < TRIED_FIRST || saving.average >= this.#minSaved) return true;
    saving.skipped++;
    return saving.skipped % TRY_EVERY === 0;
  }

  record(content: string, saved: number): void {
    const saving = this.#contents.get(content);
    if (saving !== undefined) {
      saving.average += WEIGHT * (saved - saving.average);
      saving.tried++;
      return;
    }
    if (this.#contents.size >= CONTENTS_MAX) this.#forgetFirst();
    this.#contents.set(content, { average: saved, tried: 1, skipped: 0 });
  }

  snapshot(): SavingsSnapshot {
    return Object.fromEntries([...this.#contents].map(([content, saving]) => [content, { ...saving }]));
  }

  #forgetFirst(): void {
    for (const first of this.#contents.keys()) {
      this.#contents.delete(first);
      return;
    }
  }
}
