import { OTHER } from "./metric.ts";

const NAME_LENGTH_MAX = 128;
// Line breaks and the like would break what shows them.
const CONTROL = /\p{C}/gu;
const PLAIN = /^[!-~]{1,128}$/;

/**
 * The first `max` different names, and as many more of those that are known to be good; every later one is `other`. A
 * name that was let in stays. Names are trimmed, cut to 128 characters and freed of control characters.
 */
export class BoundedNames {
  #names = new Set<string>();
  #max: number;
  #isKnown: (name: string) => boolean;

  constructor(max: number, isKnown: (name: string) => boolean = () => false) {
    this.#max = max;
    this.#isKnown = isKnown;
  }

  of(name: string): string {
    if (this.#names.has(name)) return name;
    const clean = PLAIN.test(name) ? name : cleaned(name);
    if (clean !== name && this.#names.has(clean)) return clean;
    const { size } = this.#names;
    if (size >= this.#max && (size >= 2 * this.#max || !this.#isKnown(clean))) return OTHER;
    this.#names.add(clean);
    return clean;
  }
}

function cleaned(name: string): string {
  return name.slice(0, NAME_LENGTH_MAX).replace(CONTROL, "_").trim() || "unknown";
}
