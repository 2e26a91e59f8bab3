export type PrometheusFormat = "text" | "openmetrics";

/** What an HTTP response of that form says it is. */
export const CONTENT_TYPES: Readonly<Record<PrometheusFormat, string>> = {
  text: "text/plain; version=0.0.4; charset=utf-8",
  openmetrics: "application/openmetrics-text; version=1.0.0; charset=utf-8",
};

/** The form that an `Accept` header prefers: OpenMetrics 1.0 only where it is asked for, as Prometheus does. */
export function formatFor(accept: string | undefined): PrometheusFormat {
  let openmetrics = 0;
  let text = 0;
  for (const range of (accept ?? "").split(",")) {
    const [type = "", ...parameters] = range.split(";").map((part) => part.trim().toLowerCase());
    const quality = qualityOf(parameters);
    if (type === "application/openmetrics-text" && isVersion(parameters, "1.0.0")) {
      openmetrics = Math.max(openmetrics, quality);
    } else if (type === "text/plain" && isVersion(parameters, "0.0.4")) {
      text = Math.max(text, quality);
    }
  }
  return openmetrics > 0 && openmetrics >= text ? "openmetrics" : "text";
}

function qualityOf(parameters: readonly string[]): number {
  const given = parameters.find((parameter) => parameter.startsWith("q="));
  const quality = given === undefined ? 1 : Number(given.slice(2));
  return quality >= 0 && quality <= 1 ? quality : 0;
}

function isVersion(parameters: readonly string[], version: string): boolean {
  const given = parameters.find((parameter) => parameter.startsWith("version="));
  return given === undefined || given === `version=${version}`;
}
