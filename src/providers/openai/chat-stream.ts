import { broken, type Chunk, type Fault, interrupted, type Settlement, type Usage, whole } from "../../core/index.ts";
import { eventData } from "../sse.ts";
import { ANSWER_FIELDS, hasGoodArguments, isFlagged, isGoodFinish, THOUGHT_FIELDS } from "./chat-answer.ts";
import { errorFacts } from "./error-body.ts";
import { faultOfError } from "./failure.ts";
import { garbledEvent, isGarbled } from "./garbled-event.ts";
import { isFilled, isObject, type JsonObject, numberOf, objectsIn, parseJson, textOf } from "./json.ts";
import type { StreamReader } from "./stream.ts";
import { chatUsage } from "./usage.ts";
import { errorIn } from "./whole.ts";

const SPEAKING_FIELDS = [...ANSWER_FIELDS, ...THOUGHT_FIELDS];

interface ChoiceState {
  finish: string | undefined;
  answered: boolean;
  /** Arguments by the index of their tool call; those of a `function_call` under -1. */
  readonly args: Map<number, { arguments: string }>;
}

/**
 * The stream of a chat completion.
 *
 * Complete means `[DONE]`, or a finish reason for every choice: some servers close without `[DONE]`, and their answer
 * is all there. Only the first is proof enough to keep it.
 */
export class ChatStreamReader implements StreamReader {
  #choices = new Map<unknown, ChoiceState>();
  #model: string | undefined;
  #usage: Usage | undefined;
  #fault: Fault | undefined;
  #speaking = false;
  #done = false;
  #unreadable = false;
  #flagged = false;

  read(event: string): Chunk["role"] | Fault {
    const { event: name, data } = eventData(event);
    if (name === "error") return this.#fail(faultOfError(errorFacts(parseJson(data ?? ""))));
    if (data === undefined) return "other";
    if (data.trim() === "[DONE]") {
      this.#done = true;
      return "end";
    }
    const chunk = parseJson(data);
    if (isObject(chunk)) return this.#readChunk(chunk);
    if (!this.#speaking && isGarbled(name, data, chunk)) return this.#fail(garbledEvent());
    // One bad line must not take away an answer that is complete without it; but it is not one to keep.
    this.#unreadable = true;
    return "other";
  }

  end(): Settlement {
    if (this.#fault !== undefined) return broken(this.#fault, this.#usage);
    const choices = [...this.#choices.values()];
    const finished = choices.length > 0 && choices.every(({ finish }) => finish !== undefined);
    if (!this.#done && !finished) {
      return broken(interrupted("The stream closed before the answer was complete."), this.#usage);
    }
    return whole({
      storable: this.#done && finished && !this.#unreadable && !this.#flagged && choices.every(isGood),
      usage: this.#usage,
      model: this.#model,
      finishReasons: choices.map(({ finish }) => finish).filter((finish) => finish !== undefined),
    });
  }

  usage(): Usage | undefined {
    return this.#usage;
  }

  #readChunk(chunk: JsonObject): Chunk["role"] | Fault {
    this.#usage = chatUsage(chunk) ?? this.#usage;
    this.#model ??= textOf(chunk["model"]);
    if (isFlagged(chunk["moderation"])) this.#flagged = true;
    const error = errorIn(chunk);
    if (error !== undefined) return this.#fail(error);
    let speaks = false;
    for (const choice of objectsIn(chunk["choices"])) if (this.#readChoice(choice)) speaks = true;
    if (!speaks) return this.#speaking ? "other" : "preamble";
    this.#speaking = true;
    return "content";
  }

  /** Says whether the model said something. */
  #readChoice({ index, delta, finish_reason }: JsonObject): boolean {
    let state = this.#choices.get(index);
    if (state === undefined) {
      state = { finish: undefined, answered: false, args: new Map() };
      this.#choices.set(index, state);
    }
    state.finish = textOf(finish_reason) ?? state.finish;
    if (!isObject(delta)) return false;
    if (ANSWER_FIELDS.some((field) => isFilled(delta[field]))) state.answered = true;
    for (const call of objectsIn(delta["tool_calls"])) gather(state, numberOf(call["index"] ?? 0), call["function"]);
    gather(state, -1, delta["function_call"]);
    return SPEAKING_FIELDS.some((field) => isFilled(delta[field]));
  }

  #fail(fault: Fault): Fault {
    this.#fault ??= fault;
    return fault;
  }
}

function gather({ args }: ChoiceState, index: number, called: unknown): void {
  if (!isObject(called)) return;
  const gathered = args.get(index);
  const piece = textOf(called["arguments"]) ?? "";
  if (gathered === undefined) args.set(index, { arguments: piece });
  else gathered.arguments += piece;
}

function isGood({ finish, answered, args }: ChoiceState): boolean {
  return isGoodFinish(finish) && answered && [...args.values()].every(hasGoodArguments);
}
