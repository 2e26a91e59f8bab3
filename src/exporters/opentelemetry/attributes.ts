import type { Attributes } from "@opentelemetry/api";
import { type Labels, SEMCONV_ATTRIBUTES } from "../../monitor/index.ts";

const OURS = /^(breakwater|gen_ai)\./;

/** Label sets as attributes, each made once: a monitor gives the same object each time. */
export class AttributeSets {
  readonly #known = new WeakMap<Labels, Attributes>();

  /** Labels of a user's own metrics keep their names. */
  of(metric: string, labels: Labels): Attributes {
    if (!OURS.test(metric)) return labels;
    let attributes = this.#known.get(labels);
    if (attributes === undefined) {
      attributes = Object.fromEntries(
        Object.entries(labels).map(([key, value]) => [SEMCONV_ATTRIBUTES[key] ?? key, value]),
      );
      this.#known.set(labels, attributes);
    }
    return attributes;
  }
}
