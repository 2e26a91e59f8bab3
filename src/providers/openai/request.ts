import { secretName } from "../../core/index.ts";
import { inputSize } from "./input-size.ts";
import { isObject, type JsonObject, parseJson, textOf } from "./json.ts";
import { providerName } from "./provider-name.ts";
import { meaningfulHeaders } from "./request-headers.ts";

export type Operation = "chat" | "responses" | "embeddings";

/** What a request says, for the `Call` that is made of it. */
export interface RequestReading {
  readonly operation: Operation;
  /** OpenTelemetry `gen_ai.provider.name` by host, else the host itself. */
  readonly provider: string;
  /**
   * Origin and path, and `api-version` where the query has one. Any other query parameters are in it by a one-way
   * name, and so are, behind a `#`, headers beside transport and credential: they may change the answer, and they may
   * be secret.
   */
  readonly endpoint: string;
  readonly model: string;
  readonly stream: boolean;
  readonly temperature: number | undefined;
  /** The parsed body. */
  readonly request: Record<string, unknown>;
  /** Characters of the whole input; an image, sound or inline file counts for 6,000 at most. */
  readonly inputChars: number;
  /** The most tokens that all choices together may have, where the request says so. */
  readonly maxOutputTokens: number | undefined;
}

const OPERATIONS: Readonly<Record<string, Operation>> = {
  "chat/completions": "chat",
  responses: "responses",
  embeddings: "embeddings",
};

const PATH = /\/(chat\/completions|responses|embeddings)\/?$/;
const DEPLOYMENT = /\/deployments\/([^/]+)\//;

/**
 * Reads a request to chat completions, responses or embeddings at any base URL.
 *
 * `undefined`: not one of these (files, models, audio, GET, a body that is not a JSON object with a model): it must
 * pass through untouched. Never throws.
 */
export function readRequest(
  method: string,
  url: URL,
  body: string,
  headers = new Headers(),
): RequestReading | undefined {
  if (method.toUpperCase() !== "POST") return undefined;
  const operation = OPERATIONS[PATH.exec(url.pathname)?.[1] ?? ""];
  if (operation === undefined) return undefined;
  const request = parseJson(body);
  if (!isObject(request)) return undefined;
  // An Azure deployment stands for its model and may be named in the path alone.
  const model = textOf(request["model"]) ?? DEPLOYMENT.exec(url.pathname)?.[1];
  if (model === undefined) return undefined;
  return {
    operation,
    provider: providerName(url),
    endpoint: endpointOf(url) + headersName(headers),
    model,
    stream: request["stream"] === true,
    temperature: typeof request["temperature"] === "number" ? request["temperature"] : undefined,
    request,
    inputChars: inputSize(request),
    maxOutputTokens: maxOutputTokens(request),
  };
}

function endpointOf({ origin, pathname, search, searchParams }: URL): string {
  if (search === "") return origin + pathname;
  const rest = new URLSearchParams(searchParams);
  rest.delete("api-version");
  rest.sort();
  const query = new URLSearchParams();
  const version = searchParams.get("api-version");
  if (version !== null) query.set("api-version", version);
  if (rest.size > 0) query.set("query", secretName(rest.toString()));
  return `${origin}${pathname}?${query}`;
}

function headersName(headers: Headers): string {
  const meaningful = meaningfulHeaders(headers);
  return meaningful.length === 0 ? "" : `#headers=${secretName(JSON.stringify(meaningful))}`;
}

function maxOutputTokens(request: JsonObject): number | undefined {
  const { max_completion_tokens, max_output_tokens, max_tokens, n } = request;
  const most = [max_completion_tokens, max_output_tokens, max_tokens].find(isCount);
  return most === undefined ? undefined : most * (isCount(n) ? n : 1);
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) > 0;
}
