import { type AnswerFacts, type AnswerWriter, type ErrorBody, sse } from "./answer-writer.ts";
import type { Answer, Choice } from "./answers.ts";

interface ChatStyle {
  readonly includeUsage: boolean;
  /** Gives the random padding of an event; absent: none. */
  readonly padding: (() => string) | undefined;
}

/** `/v1/chat/completions`. */
export function chatWriter(facts: AnswerFacts, answer: Answer, style: ChatStyle): AnswerWriter {
  const common = { id: facts.id, created: facts.created, model: facts.model, service_tier: "default" };
  const usage = usageOf(facts, answer);
  const chunk = (choices: readonly object[], total: object | null = null): string =>
    sse({
      ...common,
      object: "chat.completion.chunk",
      system_fingerprint: "fp_simulated",
      choices,
      ...(style.includeUsage ? { usage: total } : {}),
      ...(style.padding === undefined ? {} : { obfuscation: style.padding() }),
    });
  const each = (make: (choice: Choice, index: number) => object | undefined): string => {
    const parts = answer.choices.map((choice, index) => {
      const delta = make(choice, index);
      return delta === undefined ? "" : chunk([{ index, delta, logprobs: null, finish_reason: null }]);
    });
    return parts.join("");
  };
  return {
    whole: () => ({
      ...common,
      object: "chat.completion",
      system_fingerprint: "fp_simulated",
      choices: answer.choices.map((choice, index) => ({
        index,
        message: messageOf(choice, `call_${facts.id}_${index}`),
        logprobs: null,
        finish_reason: choice.finish,
      })),
      usage,
    }),
    opening: () =>
      each((choice, index) =>
        choice.tool === undefined
          ? { role: "assistant", content: "", refusal: null }
          : {
              role: "assistant",
              content: null,
              tool_calls: [toolCall(choice.tool, "", `call_${facts.id}_${index}`)],
              refusal: null,
            },
      ),
    step: (index) => each((choice) => deltaOf(choice, choice.pieces[index])),
    closing: () => {
      const ends = answer.choices.map(({ finish }, index) =>
        chunk([{ index, delta: {}, logprobs: null, finish_reason: finish }]),
      );
      return `${ends.join("")}${style.includeUsage ? chunk([], usage) : ""}data: [DONE]\n\n`;
    },
    failure: (error: ErrorBody) => sse({ error }),
  };
}

function deltaOf(choice: Choice, piece: string | undefined): object | undefined {
  if (piece === undefined) return undefined;
  return choice.tool === undefined
    ? { content: piece }
    : { tool_calls: [{ index: 0, function: { arguments: piece } }] };
}

function messageOf({ pieces, tool }: Choice, callId: string): object {
  const text = pieces.join("");
  if (tool === undefined) return { role: "assistant", content: text, refusal: null, annotations: [] };
  const { index: _, ...call } = toolCall(tool, text, callId);
  return { role: "assistant", content: null, tool_calls: [call], refusal: null, annotations: [] };
}

function toolCall(name: string, args: string, id: string) {
  return { index: 0, id, type: "function", function: { name, arguments: args } };
}

function usageOf(facts: AnswerFacts, answer: Answer): object {
  return {
    prompt_tokens: facts.promptTokens,
    completion_tokens: answer.outputTokens,
    total_tokens: facts.promptTokens + answer.outputTokens,
    prompt_tokens_details: { cached_tokens: facts.cachedTokens, audio_tokens: 0 },
    completion_tokens_details: {
      reasoning_tokens: answer.reasoningTokens,
      audio_tokens: 0,
      accepted_prediction_tokens: 0,
      rejected_prediction_tokens: 0,
    },
  };
}
