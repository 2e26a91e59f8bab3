import { broken, type Fault, faultOf, type RawResponse, type Settlement, whole } from "../../core/index.ts";
import { readChatAnswer } from "./chat-answer.ts";
import { errorFacts } from "./error-body.ts";
import { faultOfError } from "./failure.ts";
import { isFilled, isObject, type JsonObject, objectOf, objectsIn, parseJson, textOf } from "./json.ts";
import type { Operation, RequestReading } from "./request.ts";
import { readResponsesAnswer } from "./responses-answer.ts";
import { chatUsage, readUsage } from "./usage.ts";

const READERS: Readonly<Record<Operation, (body: JsonObject) => Settlement | undefined>> = {
  chat: readChatAnswer,
  responses: readResponsesAnswer,
  embeddings: readEmbeddings,
};

/**
 * A whole 2xx body: how it ended, what it cost and whether it may be kept. `settlement.fault` for an error inside of
 * it, and of kind `malformed` for one that is not the JSON of an answer (a page of a proxy, a cut body).
 */
export function readWhole(reading: Pick<RequestReading, "operation" | "provider">, raw: RawResponse): Settlement {
  const body = isPage(raw) ? undefined : parseJson(raw.body);
  if (!isObject(body)) return broken(malformed(raw));
  const error = errorIn(body);
  if (error !== undefined) return broken({ ...error, response: raw }, chatUsage(body));
  return READERS[reading.operation](body) ?? broken(malformed(raw));
}

/** The error that a chat body or chunk carries in one of its places. */
export function errorIn(body: JsonObject): Fault | undefined {
  if (isFilled(body["error"]) && body["error"] !== false) return faultOfError(errorFacts(body));
  if (body["object"] === "error") return faultOfError(errorFacts(body));
  if (body["status"] === "failed") return faultOfError(errorFacts({}));
  const choice = objectsIn(body["choices"]).find(
    ({ error, finish_reason }) => isObject(error) || finish_reason === "error",
  );
  return choice === undefined ? undefined : faultOfError(errorFacts({ error: objectOf(choice["error"]) }));
}

function isPage({ headers }: RawResponse): boolean {
  return headers.some(([name, value]) => name.toLowerCase() === "content-type" && /\bhtml\b/i.test(value));
}

function malformed(raw: RawResponse): Fault {
  return faultOf({ kind: "malformed", status: raw.status, error: undefined, response: raw });
}

function readEmbeddings(body: JsonObject): Settlement | undefined {
  const { data } = body;
  if (!Array.isArray(data)) return undefined;
  return whole({
    storable: data.length > 0 && data.every((item) => isFilled(objectOf(item)["embedding"])),
    usage: readUsage(body["usage"]),
    model: textOf(body["model"]),
  });
}
