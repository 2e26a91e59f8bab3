/**
 * One row for every call, with its shape and its cost and no word of it, in a file that can be queried and exported.
 *
 * @module
 */
export { type CallLog, type CallLogStats, callLog } from "./call-log.ts";
export { CALL_LOG_DEFAULTS, type CallLogOptions } from "./options.ts";
export { type CallFilter, type CallPage, type CallQuery, type CallSort, QUERY_DEFAULTS } from "./query.ts";
export type { CallOutcome, CallRow } from "./row.ts";
