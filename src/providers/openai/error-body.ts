import { isObject, type JsonObject, numberOf, objectOf, objectsIn, parseJson, textOf } from "./json.ts";

/** What an error says of itself, whatever the form it came in. */
export interface ErrorFacts {
  /** The HTTP status: of the response, or told inside of a stream. */
  readonly status: number | undefined;
  /** Code and type, in lower case: `rate_limit_exceeded tokens`. */
  readonly names: string;
  /** At most 4,000 characters. */
  readonly message: string;
  /** The object that holds them, for what only some providers tell. */
  readonly error: JsonObject;
}

const MESSAGE_MAX = 4_000;

/** Reads the body of an error response. One that is not JSON tells nothing. */
export function errorFromBody(body: string, status: number): ErrorFacts {
  const facts = errorFacts(parseJson(body));
  return { ...facts, status };
}

/**
 * Reads an error object. Forms: `{error: {message, type, code}}` (OpenAI and most), `{error: "text"}` (Ollama),
 * `{message, type, code}` (Mistral, older vLLM), `{detail}` (FastAPI), an array around any of them (Gemini).
 */
export function errorFacts(value: unknown): ErrorFacts {
  const outer = objectOf(Array.isArray(value) ? value[0] : value);
  const inner = outer["error"];
  const error = isObject(inner) ? inner : outer;
  const message = [inner, error["message"], outer["detail"]].find((text) => textOf(text) !== undefined);
  return {
    status: statusIn(error),
    names: [error["code"], error["type"], objectOf(error["innererror"])["code"]]
      .filter((name) => textOf(name) !== undefined)
      .join(" ")
      .toLowerCase(),
    message: String(message ?? "").slice(0, MESSAGE_MAX),
    error,
  };
}

function statusIn(error: JsonObject): number | undefined {
  return [error["status_code"], error["status"], error["code"]].map(numberOf).find((n) => n >= 400 && n <= 599);
}

/** Google says "quota" for a limit per minute too; only the name of the violated one tells them apart. */
export function isDailyQuota({ error }: ErrorFacts): boolean {
  const violations = objectsIn(error["details"]).flatMap((detail) => objectsIn(detail["violations"]));
  return violations.some(({ quotaId }) => textOf(quotaId)?.includes("PerDay"));
}
