import type { Line } from "../core/index.ts";
import { isOpenAI, wrapOpenAI } from "./openai.ts";

export { explainOf } from "./explained.ts";
export { createFetch, type FetchOptions } from "./fetch.ts";
export { type CallOptions, callThrough, type FunctionContext } from "./function.ts";
export type { ErrorJudge, FunctionRequest } from "./function-request.ts";
export { acquireFrom, type CallLease, executeWithLease, type LeaseOptions } from "./lease.ts";
export { refusalOf } from "./refusals.ts";
export { currentScope, runInScope, scoped } from "./scope.ts";
export { type TargetOptions, targetOf } from "./targets.ts";

/**
 * A client of the same class whose calls go through `line`; the given one is left as it is.
 * Throws `TypeError` for a client of an unknown kind, and for one that already has a line.
 */
export function wrapClient<T extends object>(client: T, line: Line): T {
  if (typeof client === "object" && client !== null && isOpenAI(client)) return wrapOpenAI(client, line);
  throw new TypeError(
    "withOptimization() takes a client of the OpenAI SDK: OpenAI, AzureOpenAI, or one of the same family " +
      "(`baseURL`, `fetch`, `withOptions()` and `chat`, `responses` or `embeddings`). " +
      "For any other SDK pass `optimizer.fetch` to it where it takes a `fetch`, or call it inside `optimizer.call()`.",
  );
}
