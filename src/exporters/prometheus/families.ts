import type { MetricSnapshot } from "../../monitor/index.ts";
import type { PrometheusFormat } from "./format.ts";
import type { PrometheusName } from "./names.ts";

/** What of a metric stays the same from scrape to scrape. */
export interface Family extends PrometheusName {
  /** What the line of a counter or gauge begins with. */
  readonly sample: string;
  /** The lines before the samples. */
  readonly head: string;
  /** Of a histogram: what ends the label set of each bucket, `+Inf` last. */
  readonly bucketEnds: readonly string[];
}

export function familyOf(metric: MetricSnapshot, named: PrometheusName, format: PrometheusFormat): Family {
  const sample = metric.kind === "counter" ? `${named.name}_total` : named.name;
  const help = (metric.description === "" ? metric.name : metric.description)
    .replaceAll("\\", "\\\\")
    .replaceAll("\n", "\\n");
  return {
    ...named,
    sample,
    head: format === "text" ? textHead(metric, sample, help) : openMetricsHead(metric, named, help),
    bucketEnds: bucketEnds(metric, named, format),
  };
}

function textHead({ kind }: MetricSnapshot, sample: string, help: string): string {
  return `# HELP ${sample} ${help}\n# TYPE ${sample} ${kind}\n`;
}

function openMetricsHead({ kind }: MetricSnapshot, { name, unit }: PrometheusName, help: string): string {
  const unitLine = unit === undefined ? "" : `# UNIT ${name} ${unit}\n`;
  return `# TYPE ${name} ${kind}\n${unitLine}# HELP ${name} ${help.replaceAll('"', '\\"')}\n`;
}

function bucketEnds(metric: MetricSnapshot, { toBase }: PrometheusName, format: PrometheusFormat): string[] {
  if (metric.kind !== "histogram") return [];
  // All series of a metric have the same bounds.
  const bounds = metric.series[0]?.bounds ?? [];
  const texts = bounds.map((bound) => boundText(toBase === undefined ? bound : toBase(bound), format));
  return [...texts, "+Inf"].map((text) => `le="${text}"} `);
}

// OpenMetrics wants floats there, so that 1 and 1.0 are not two series.
function boundText(bound: number, format: PrometheusFormat): string {
  return format === "openmetrics" && Number.isInteger(bound) && bound < 1e21 ? `${bound}.0` : String(bound);
}
