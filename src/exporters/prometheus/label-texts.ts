import type { Labels } from "../../monitor/index.ts";

/** Label sets as text, each written once: a monitor gives the same object at each scrape. */
export class LabelTexts {
  readonly #constant: Labels;
  readonly #known = new WeakMap<Labels, string>();

  /** Labels that every set begins with. */
  constructor(constant: Labels) {
    this.#constant = constant;
  }

  /** `a="x",b="y"`, without braces; empty for no labels. */
  of(labels: Labels): string {
    let text = this.#known.get(labels);
    if (text === undefined) {
      text = this.#write(labels);
      this.#known.set(labels, text);
    }
    return text;
  }

  #write(labels: Labels): string {
    const pairs = Object.entries(this.#constant);
    for (const [key, value] of Object.entries(labels)) {
      // `le` is that of the buckets. The prefix is Prometheus' own for a label whose name is taken.
      const taken = key === "le" || Object.hasOwn(this.#constant, key);
      pairs.push([taken ? `exported_${key}` : key, value]);
    }
    return pairs.map(([key, value]) => `${key}="${escaped(value)}"`).join(",");
  }
}

function escaped(value: string): string {
  return value.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
}
