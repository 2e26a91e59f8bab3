/**
 * A log of events as JSON lines, shipped as `breakwater/json-lines`.
 *
 * @module
 */
export {
  JSON_LINES_DEFAULTS,
  type JsonLines,
  type JsonLinesOptions,
  type JsonLinesStats,
  jsonLines,
} from "./json-lines.ts";
export type { LineDestination, Logger } from "./sinks.ts";
