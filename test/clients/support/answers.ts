/** Bodies as the OpenAI API sends them. */

export const completion = {
  id: "chatcmpl-1",
  object: "chat.completion",
  created: 1_700_000_000,
  model: "gpt-test-2026",
  choices: [
    {
      index: 0,
      message: { role: "assistant", content: "Grüße, 世界", refusal: null },
      logprobs: null,
      finish_reason: "stop",
    },
  ],
  usage: { prompt_tokens: 9, completion_tokens: 4, total_tokens: 13 },
};

export const completionOf = (message: object, finishReason = "stop") => ({
  ...completion,
  choices: [{ index: 0, message: { role: "assistant", ...message }, logprobs: null, finish_reason: finishReason }],
});

export const toolCall = completionOf(
  {
    content: null,
    tool_calls: [{ id: "call_1", type: "function", function: { name: "weather", arguments: '{"city":"Oslo"}' } }],
  },
  "tool_calls",
);

const chunkOf = (delta: object, finishReason: string | null = null) => ({
  id: "chatcmpl-1",
  object: "chat.completion.chunk",
  created: 1_700_000_000,
  model: "gpt-test-2026",
  choices: [{ index: 0, delta, logprobs: null, finish_reason: finishReason }],
});

export const event = (data: unknown): string => `data: ${JSON.stringify(data)}\n\n`;

export const DONE = "data: [DONE]\n\n";

/** A whole chat stream, an event each. */
export const chatEvents = [
  event(chunkOf({ role: "assistant", content: "" })),
  event(chunkOf({ content: "Grüße, " })),
  ": a comment\n\n",
  event(chunkOf({ content: "世界" })),
  event(chunkOf({}, "stop")),
  DONE,
];

export const embeddings = {
  object: "list",
  data: [{ object: "embedding", index: 0, embedding: [0.25, -0.5, 1] }],
  model: "embed-test",
  usage: { prompt_tokens: 2, total_tokens: 2 },
};

export const responsesAnswer = {
  id: "resp_1",
  object: "response",
  created_at: 1_700_000_000,
  status: "completed",
  error: null,
  incomplete_details: null,
  model: "gpt-test-2026",
  output: [
    {
      type: "message",
      id: "msg_1",
      status: "completed",
      role: "assistant",
      content: [{ type: "output_text", text: "Hello", annotations: [] }],
    },
  ],
  usage: {
    input_tokens: 3,
    input_tokens_details: { cached_tokens: 0 },
    output_tokens: 1,
    output_tokens_details: { reasoning_tokens: 0 },
    total_tokens: 4,
  },
};

const named = (type: string, fields: object): string =>
  `event: ${type}\ndata: ${JSON.stringify({ type, ...fields })}\n\n`;

export const responsesEvents = [
  named("response.created", {
    sequence_number: 0,
    response: { ...responsesAnswer, status: "in_progress", output: [] },
  }),
  named("response.output_item.added", {
    sequence_number: 1,
    output_index: 0,
    item: { type: "message", id: "msg_1", status: "in_progress", role: "assistant", content: [] },
  }),
  named("response.content_part.added", {
    sequence_number: 2,
    item_id: "msg_1",
    output_index: 0,
    content_index: 0,
    part: { type: "output_text", text: "", annotations: [] },
  }),
  named("response.output_text.delta", {
    sequence_number: 3,
    item_id: "msg_1",
    output_index: 0,
    content_index: 0,
    delta: "Hello",
    logprobs: [],
  }),
  named("response.completed", { sequence_number: 4, response: responsesAnswer }),
];
