export type { ProfileSource, RecommendationSource } from "../dashboard/index.ts";
export { type HttpHandler, handler } from "./handler.ts";
export { nodeHandler } from "./node-handler.ts";
export { type CallLogReader, type HandlerOptions, HTTP_DEFAULTS, type ReadinessCheck } from "./options.ts";
export type { CheckStatus, Readiness } from "./readiness.ts";
export { type RunningServer, type ServeOptions, serve } from "./serve.ts";
