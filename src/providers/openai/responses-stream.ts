import { broken, type Chunk, type Fault, interrupted, type Settlement, type Usage, whole } from "../../core/index.ts";
import { eventData } from "../sse.ts";
import { errorFacts } from "./error-body.ts";
import { faultOfError } from "./failure.ts";
import { garbledEvent, isGarbled } from "./garbled-event.ts";
import { isFilled, isObject, type JsonObject, objectOf, parseJson, textOf } from "./json.ts";
import { readResponsesAnswer } from "./responses-answer.ts";
import type { StreamReader } from "./stream.ts";
import { readUsage } from "./usage.ts";

const ENDS: ReadonlySet<string> = new Set(["response.completed", "response.incomplete", "response.cancelled"]);
const FAILURES: ReadonlySet<string> = new Set(["error", "response.failed"]);
const OPENINGS: ReadonlySet<string> = new Set(["response.created", "response.queued", "response.in_progress"]);
/** Announce something that is still empty, under one of these names. */
const ANNOUNCEMENTS: ReadonlyMap<string, string> = new Map([
  ["response.output_item.added", "item"],
  ["response.content_part.added", "part"],
  ["response.reasoning_summary_part.added", "part"],
]);
/** Where an item or a part has what the model said. */
const SAID_IN = ["content", "arguments", "input", "summary", "text", "refusal"];
const SILENT_TYPES: ReadonlySet<unknown> = new Set([
  "message",
  "reasoning",
  "function_call",
  "custom_tool_call",
  "output_text",
  "refusal",
  "reasoning_text",
  "summary_text",
]);

/** The stream of the Responses API. Complete means a terminal event: there is no `[DONE]`. */
export class ResponsesStreamReader implements StreamReader {
  #answer: Settlement | undefined;
  #model: string | undefined;
  #usage: Usage | undefined;
  #fault: Fault | undefined;
  #speaking = false;
  #unreadable = false;

  read(event: string): Chunk["role"] | Fault {
    const { event: name, data } = eventData(event);
    if (data === undefined) return name === "error" ? this.#fail({}) : "other";
    const value = parseJson(data);
    if (isObject(value)) return this.#readEvent(textOf(value["type"]) ?? name ?? "", value);
    if (name === "error") return this.#fail({});
    // OpenAI does not send it here; some compatible servers do.
    if (data.trim() === "[DONE]") return "other";
    if (!this.#speaking && isGarbled(name, data, value)) {
      this.#fault ??= garbledEvent();
      return this.#fault;
    }
    this.#unreadable = true;
    return "other";
  }

  end(): Settlement {
    if (this.#fault !== undefined) return broken(this.#fault, this.#usage);
    if (this.#answer === undefined) {
      return broken(interrupted("The stream closed before the response was complete."), this.#usage);
    }
    return this.#unreadable ? { ...this.#answer, storable: false } : this.#answer;
  }

  usage(): Usage | undefined {
    return this.#usage;
  }

  #readEvent(type: string, event: JsonObject): Chunk["role"] | Fault {
    const response = objectOf(event["response"]);
    this.#usage = readUsage(response["usage"]) ?? this.#usage;
    this.#model ??= textOf(response["model"]);
    if (FAILURES.has(type) || isFilled(event["error"])) {
      return this.#fail(type === "response.failed" ? response : event);
    }
    if (ENDS.has(type)) {
      const answer = readResponsesAnswer(response) ?? whole({ storable: false, usage: this.#usage });
      this.#answer = { ...answer, model: answer.model ?? this.#model };
      return "end";
    }
    if (!type.startsWith("response.")) return "other";
    if (OPENINGS.has(type) || announcesNothing(type, event)) return this.#speaking ? "other" : "preamble";
    this.#speaking = true;
    return "content";
  }

  #fail(error: JsonObject): Fault {
    const fault = faultOfError(errorFacts(error));
    this.#fault ??= fault;
    return fault;
  }
}

function announcesNothing(type: string, event: JsonObject): boolean {
  const place = ANNOUNCEMENTS.get(type);
  if (place === undefined) return false;
  const announced = objectOf(event[place]);
  return SILENT_TYPES.has(announced["type"]) && !SAID_IN.some((field) => isFilled(announced[field]));
}
