import { CALL_DEFINITIONS } from "./call-definitions.ts";
import type { HistogramSnapshot, MetricSnapshot, NumberSnapshot } from "./snapshot.ts";

/** A state of the GenAI conventions: version 1.41, what they have become since, or both side by side. */
export type Semconv = (typeof SEMCONVS)[number];
export const SEMCONVS = ["v1.41", "latest", "both"] as const;

/** Our label keys as the conventions name the attribute. */
export const SEMCONV_ATTRIBUTES: Readonly<Record<string, string>> = {
  op: "gen_ai.operation.name",
  provider: "gen_ai.provider.name",
  model: "gen_ai.request.model",
  response_model: "gen_ai.response.model",
  error_type: "error.type",
  token_type: "gen_ai.token.type",
  token_modality: "gen_ai.token.modality",
};

/** What the variable `OTEL_SEMCONV_STABILITY_OPT_IN` asks for; `undefined` when it says nothing of GenAI. */
export function semconvOf(variable: string | undefined): Semconv | undefined {
  const words = (variable ?? "").split(",").map((word) => word.trim());
  return words.includes("gen_ai_latest_experimental") ? "latest" : undefined;
}

// Calls of other operations keep the old name.
const INFERENCES = new Set(["chat", "responses", "text_completion", "generate_content"]);

const INFERENCE_NAMES: Readonly<Record<string, string>> = {
  [CALL_DEFINITIONS.operationDuration.name]: "gen_ai.client.inference.duration",
  [CALL_DEFINITIONS.timeToFirstChunk.name]: "gen_ai.client.inference.time_to_first_chunk",
  [CALL_DEFINITIONS.timePerOutputChunk.name]: "gen_ai.client.inference.time_per_output_chunk",
};

const OPERATION_TOKENS: Readonly<Record<string, string>> = {
  input: "gen_ai.client.inference.operation.input_tokens",
  output: "gen_ai.client.inference.operation.output_tokens",
};

const USAGE_TOKENS: Readonly<Record<string, string>> = {
  input: "gen_ai.client.inference.usage.input_tokens",
  output: "gen_ai.client.inference.usage.output_tokens",
  cached_input: "gen_ai.client.inference.usage.cache_read.input_tokens",
  reasoning: "gen_ai.client.inference.usage.reasoning.output_tokens",
};

/**
 * Metrics under the names of a state of the conventions. The names after 1.41 are those of the repository
 * open-telemetry/semantic-conventions-genai in September 2026, which has no release.
 */
export function named(metrics: readonly MetricSnapshot[], semconv: Semconv): readonly MetricSnapshot[] {
  if (semconv === "v1.41") return metrics;
  const latest = metrics.flatMap(renamed);
  if (semconv === "latest") return latest;
  const known = new Set(metrics);
  const names = new Set(metrics.map(({ name }) => name));
  return [...metrics, ...latest.filter((metric) => !known.has(metric) && !names.has(metric.name))];
}

function renamed(metric: MetricSnapshot): MetricSnapshot[] {
  const inference = INFERENCE_NAMES[metric.name];
  if (inference !== undefined && metric.kind === "histogram") {
    const isInference = ({ labels }: HistogramSnapshot): boolean => INFERENCES.has(labels["op"] ?? "");
    const others = metric.series.filter((series) => !isInference(series));
    return [
      { ...metric, name: inference, series: metric.series.filter(isInference) },
      ...(others.length > 0 ? [{ ...metric, series: others }] : []),
    ];
  }
  if (metric.name === CALL_DEFINITIONS.tokenUsage.name && metric.kind === "histogram") {
    return Object.entries(OPERATION_TOKENS).map(([type, name]) => ({
      ...metric,
      name,
      labelKeys: metric.labelKeys.filter((key) => key !== "token_type"),
      series: ofTokenType(metric.series, type),
    }));
  }
  if (metric.name === CALL_DEFINITIONS.tokens.name && metric.kind === "counter") {
    return [metric, ...Object.entries(USAGE_TOKENS).map(([type, name]) => usageCounter(metric, type, name))];
  }
  return [metric];
}

function usageCounter(
  metric: MetricSnapshot & { readonly kind: "counter" | "gauge" },
  type: string,
  name: string,
): MetricSnapshot {
  const labelKeys = [...metric.labelKeys.filter((key) => key !== "token_type"), "token_modality"];
  // What a token stands for is not told apart in what we read of a reply.
  const series = ofTokenType<NumberSnapshot>(metric.series, type).map((one) => ({
    ...one,
    labels: { ...one.labels, token_modality: "unknown" },
  }));
  return { ...metric, name, labelKeys, series };
}

function ofTokenType<S extends NumberSnapshot | HistogramSnapshot>(series: readonly S[], type: string): S[] {
  return series.flatMap((one) => {
    const { token_type, ...labels } = one.labels;
    return token_type === type ? [{ ...one, labels }] : [];
  });
}
