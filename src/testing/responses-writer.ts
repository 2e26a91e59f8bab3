import { type AnswerFacts, type AnswerWriter, type ErrorBody, sse } from "./answer-writer.ts";
import type { Answer, Choice } from "./answers.ts";

type Status = "in_progress" | "completed" | "incomplete" | "failed";

/** `/v1/responses`: one output item, a message or a function call, and its grammar of numbered events. */
export function responsesWriter(facts: AnswerFacts, answer: Answer): AnswerWriter {
  const choice = answer.choices[0] as Choice;
  const text = choice.pieces.join("");
  const itemId = `${choice.tool === undefined ? "msg" : "fc"}_${facts.id}`;
  const place = choice.tool === undefined ? { output_index: 0, content_index: 0 } : { output_index: 0 };
  const stream = choice.tool === undefined ? "response.output_text" : "response.function_call_arguments";
  const ending: Status = choice.finish === "stop" || choice.finish === "tool_calls" ? "completed" : "incomplete";
  let sequence = 0;
  const event = (type: string, data: object): string => sse({ type, sequence_number: sequence++, ...data }, type);
  const snapshot = (status: Status, error: object | null = null): object => ({
    ...responseOf(facts, status, choice),
    error,
    output: status === "completed" || status === "incomplete" ? [itemOf(choice, itemId, text, status)] : [],
    usage: status === "completed" || status === "incomplete" ? usageOf(facts, answer) : null,
  });
  const started = (): string =>
    event("response.created", { response: snapshot("in_progress") }) +
    event("response.in_progress", { response: snapshot("in_progress") });
  return {
    whole: () => ({ ...snapshot(ending) }),
    opening: () =>
      started() +
      event("response.output_item.added", { output_index: 0, item: emptyItem(choice, itemId) }) +
      (choice.tool === undefined
        ? event("response.content_part.added", { item_id: itemId, ...place, part: partOf("") })
        : ""),
    step: (index) => {
      const delta = choice.pieces[index];
      return delta === undefined ? "" : event(`${stream}.delta`, { item_id: itemId, ...place, delta });
    },
    closing: () =>
      event(`${stream}.done`, {
        item_id: itemId,
        ...place,
        ...(choice.tool === undefined ? { text } : { arguments: text }),
      }) +
      (choice.tool === undefined
        ? event("response.content_part.done", { item_id: itemId, ...place, part: partOf(text) })
        : "") +
      event("response.output_item.done", { output_index: 0, item: itemOf(choice, itemId, text, ending) }) +
      event(`response.${ending}`, { response: snapshot(ending) }),
    failure: (error: ErrorBody) => {
      const begin = sequence === 0 ? started() : "";
      const { code, message } = error;
      const failed = snapshot("failed", { code, message });
      return `${begin}${event("error", { error })}${event("response.failed", { response: failed })}`;
    },
  };
}

function responseOf(facts: AnswerFacts, status: Status, choice: Choice): object {
  const reason = choice.finish === "content_filter" ? "content_filter" : "max_output_tokens";
  return {
    id: facts.id,
    object: "response",
    created_at: facts.created,
    status,
    background: false,
    incomplete_details: status === "incomplete" ? { reason } : null,
    instructions: null,
    max_output_tokens: null,
    model: facts.model,
    parallel_tool_calls: true,
    previous_response_id: null,
    reasoning: { effort: null, summary: null },
    service_tier: "default",
    store: true,
    temperature: 1,
    text: { format: { type: "text" } },
    tool_choice: "auto",
    tools: [],
    top_p: 1,
    truncation: "disabled",
    user: null,
    metadata: {},
  };
}

function partOf(text: string): object {
  return { type: "output_text", annotations: [], logprobs: [], text };
}

function emptyItem({ tool }: Choice, id: string): object {
  return tool === undefined
    ? { id, type: "message", status: "in_progress", content: [], role: "assistant" }
    : { id, type: "function_call", status: "in_progress", arguments: "", call_id: `call_${id}`, name: tool };
}

function itemOf({ tool }: Choice, id: string, text: string, status: Status): object {
  return tool === undefined
    ? { id, type: "message", status, content: [partOf(text)], role: "assistant" }
    : { id, type: "function_call", status, arguments: text, call_id: `call_${id}`, name: tool };
}

function usageOf(facts: AnswerFacts, answer: Answer): object {
  return {
    input_tokens: facts.promptTokens,
    input_tokens_details: { cached_tokens: facts.cachedTokens },
    output_tokens: answer.outputTokens,
    output_tokens_details: { reasoning_tokens: answer.reasoningTokens },
    total_tokens: facts.promptTokens + answer.outputTokens,
  };
}
