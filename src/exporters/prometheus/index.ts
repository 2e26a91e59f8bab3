/**
 * Metrics for Prometheus, and a Grafana dashboard of them, shipped as `breakwater/prometheus`.
 *
 * @module
 */
export { grafanaDashboard } from "../grafana/index.ts";
export { CONTENT_TYPES, formatFor, type PrometheusFormat } from "./format.ts";
export {
  type PrometheusExporter,
  type PrometheusOptions,
  prometheus,
  type Scrape,
} from "./prometheus.ts";
