/**
 * The OpenAI dialect: what requests, answers, streams, headers and errors mean, at OpenAI and at everything compatible
 * with it. Pure functions: no I/O, no clock.
 *
 * @module
 */
export { readConnectionFailure } from "./connection-failure.ts";
export { readCredential } from "./credential.ts";
export { readFailure } from "./failure.ts";
export { readLimits } from "./limits.ts";
export { type RequestReading, readRequest } from "./request.ts";
export { bindsItsBody } from "./request-headers.ts";
export { type StreamReader, streamReader } from "./stream.ts";
export { readWhole } from "./whole.ts";
export { openaiWholeWire, openaiWire } from "./wire.ts";
