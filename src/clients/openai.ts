import type { Line } from "../core/index.ts";
import { createFetch, isOptimizedFetch } from "./fetch.ts";

/** What is used of a client of the OpenAI SDK's family. Known by its form: the package itself is never loaded. */
export interface OpenAILike {
  readonly baseURL: string;
  readonly fetch: typeof fetch;
  readonly apiVersion?: string | undefined;
  readonly deploymentName?: string | undefined;
  readonly apiKey?: string | null | undefined;
  readonly _options?: { readonly apiKey?: unknown } | undefined;
  withOptions(options: Record<string, unknown>): object;
}

const ENDPOINTS = ["chat", "responses", "embeddings"];

/** True for a client made by the OpenAI SDK or one of its family that speaks the same dialect. */
export function isOpenAI(client: object): client is OpenAILike {
  const { baseURL, fetch, withOptions } = client as Partial<OpenAILike>;
  return (
    typeof baseURL === "string" &&
    typeof fetch === "function" &&
    typeof withOptions === "function" &&
    ENDPOINTS.some((endpoint) => endpoint in client)
  );
}

/**
 * A client of the same class whose calls go through `line`. The given one is left as it is. The SDK's own
 * retries are off: exactly one party owns them. Throws `TypeError` for a client that already has a line.
 */
export function wrapOpenAI<T extends object>(client: T & OpenAILike, line: Line): T {
  if (isOptimizedFetch(client.fetch)) {
    throw new TypeError("This client is optimized already: give withOptimization() the client it was made from.");
  }
  return client.withOptions({
    maxRetries: 0,
    fetch: createFetch(line, { fetch: client.fetch }),
    ...optionsOfCopy(client),
  }) as T;
}

/** What `withOptions` needs to be told to give a client like the given one. */
export function optionsOfCopy(client: OpenAILike): Record<string, unknown> {
  return { ...keyOption(client), ...azureOptions(client) };
}

// The SDK's `withOptions` goes back to the key of the constructor; one that was set since is in `apiKey`. Where the
// constructor was given a function, `apiKey` is only its last answer.
function keyOption({ apiKey, _options }: OpenAILike): Record<string, unknown> {
  return typeof apiKey === "string" && typeof _options?.apiKey === "string" ? { apiKey } : {};
}

// AzureOpenAI keeps these two beside its options, and its `withOptions` would forget them.
function azureOptions({ apiVersion, deploymentName }: OpenAILike): Record<string, unknown> {
  return {
    ...(typeof apiVersion === "string" && { apiVersion }),
    ...(typeof deploymentName === "string" && { deployment: deploymentName }),
  };
}
