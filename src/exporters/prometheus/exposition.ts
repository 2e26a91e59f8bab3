import type { HistogramSnapshot, MetricSnapshot } from "../../monitor/index.ts";
import { type Family, familyOf } from "./families.ts";
import type { PrometheusFormat } from "./format.ts";
import type { LabelTexts } from "./label-texts.ts";
import type { PrometheusNames } from "./names.ts";

// About 600 lines: well below a millisecond of work between two turns of the event loop.
const CHUNK_LENGTH = 65_536;

/**
 * Writes metrics in one form.
 *
 * Source: Prometheus exposition formats, text 0.0.4; OpenMetrics 1.0.
 */
export class Exposition {
  readonly #format: PrometheusFormat;
  readonly #names: PrometheusNames;
  readonly #labels: LabelTexts;
  readonly #families = new Map<string, Family>();

  constructor(format: PrometheusFormat, names: PrometheusNames, labels: LabelTexts) {
    this.#format = format;
    this.#names = names;
    this.#labels = labels;
  }

  /** The whole in parts of about 64 KB. */
  *chunks(metrics: readonly MetricSnapshot[]): Generator<string> {
    let text = "";
    // Of two metrics with one name the first keeps it, whichever of them has values first.
    for (const metric of metrics) this.#names.of(metric);
    for (const metric of metrics) {
      if (metric.series.length === 0) continue;
      const family = this.#family(metric);
      text += family.head;
      for (const series of metric.series) {
        const labels = this.#labels.of(series.labels);
        text += "value" in series ? numberLine(family, labels, series.value) : histogramLines(family, labels, series);
        if (text.length < CHUNK_LENGTH) continue;
        yield text;
        text = "";
      }
    }
    yield this.#format === "openmetrics" ? `${text}# EOF\n` : text;
  }

  #family(metric: MetricSnapshot): Family {
    let family = this.#families.get(metric.name);
    if (family === undefined) {
      family = familyOf(metric, this.#names.of(metric), this.#format);
      this.#families.set(metric.name, family);
    }
    return family;
  }
}

function numberLine({ sample, toBase }: Family, labels: string, value: number): string {
  return `${sample}${labels === "" ? "" : `{${labels}}`} ${toBase === undefined ? value : toBase(value)}\n`;
}

function histogramLines({ name, toBase, bucketEnds }: Family, labels: string, series: HistogramSnapshot): string {
  const bucket = `${name}_bucket{${labels}${labels === "" ? "" : ","}`;
  let lines = "";
  let cumulative = 0;
  for (const [index, end] of bucketEnds.entries()) {
    cumulative += series.bucketCounts[index] ?? 0;
    lines += `${bucket}${end}${cumulative}\n`;
  }
  const set = labels === "" ? " " : `{${labels}} `;
  const sum = toBase === undefined ? series.sum : toBase(series.sum);
  return `${lines}${name}_sum${set}${sum}\n${name}_count${set}${cumulative}\n`;
}
