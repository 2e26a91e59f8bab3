import { OTHER } from "./metric.ts";

/** The first `max` different names; every later one is `other`. A name that was let in stays. */
export class BoundedNames {
  #names = new Set<string>();
  #max: number;

  constructor(max: number) {
    this.#max = max;
  }

  of(name: string): string {
    if (this.#names.has(name)) return name;
    if (this.#names.size >= this.#max) return OTHER;
    this.#names.add(name);
    return name;
  }
}
