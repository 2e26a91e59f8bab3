import { Buffer } from "node:buffer";

/** What a frame says it was written with. A change of the text below is a new version; old ones stay readable. */
export const DICTIONARY_VERSION = 1;

/**
 * What replies of LLM providers and entries of a cache have in common, so that a reply of a kilobyte needs not tell it
 * again: shapes of OpenAI, Anthropic and Gemini answers, whole and streamed. Deflate (RFC 1951) refers to what came
 * before; from a preset dictionary the first byte already can. What comes last is near, and costs the fewest bits.
 */
export function dictionary(): Uint8Array {
  known ??= Buffer.from(TEXT);
  return known;
}

let known: Uint8Array | undefined;

const GEMINI =
  '{"candidates": [{"content": {"parts": [{"text": ""}],"role": "model"},"finishReason": "STOP","index": 0,' +
  '"safetyRatings": [{"category": "HARM_CATEGORY_HATE_SPEECH","probability": "NEGLIGIBLE"}]}],"usageMetadata": ' +
  '{"promptTokenCount": 1,"candidatesTokenCount": 1,"totalTokenCount": 1,"promptTokensDetails": [{"modality": "TEXT",' +
  '"tokenCount": 1}],"thoughtsTokenCount": 1},"modelVersion": "gemini-2.5-flash","responseId": "';

const ANTHROPIC =
  'event: content_block_start\ndata: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}' +
  '\n\nevent: ping\ndata: {"type": "ping"}\n\nevent: content_block_delta\ndata: {"type":"content_block_delta","index":0,' +
  '"delta":{"type":"text_delta","text":""}}\n\nevent: content_block_stop\ndata: {"type":"content_block_stop","index":0}' +
  '\n\nevent: message_delta\ndata: {"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},' +
  '"usage":{"output_tokens":1}}\n\nevent: message_stop\ndata: {"type":"message_stop"}\n\nevent: message_start\ndata: {' +
  '"type":"message_start","message":{"model":"claude-sonnet-4-5-20250929","id":"msg_01","type":"message","role":' +
  '"assistant","content":[{"type":"text","text":""}],"stop_reason":"end_turn","stop_sequence":null,"usage":{' +
  '"input_tokens":1,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"cache_creation":{' +
  '"ephemeral_5m_input_tokens":0,"ephemeral_1h_input_tokens":0},"output_tokens":1,"service_tier":"standard"}}';

const RESPONSE_STREAM =
  'event: response.completed\ndata: {"type":"response.completed","sequence_number":10,"response":{"id":"resp_","object":' +
  '"response","created_at":17,"status":"completed","error":null,"incomplete_details":null,"model":"gpt-4o","output":[{' +
  '"id":"msg_","type":"message","status":"completed","content":[{"type":"output_text","annotations":[],"logprobs":[],' +
  '"text":""}],"role":"assistant"}],"usage":{"input_tokens":1,"input_tokens_details":{"cached_tokens":0},' +
  '"output_tokens":1,"output_tokens_details":{"reasoning_tokens":0},"total_tokens":1}}}\n\nevent: ' +
  'response.output_text.delta\ndata: {"type":"response.output_text.delta","sequence_number":4,"item_id":"msg_",' +
  '"output_index":0,"content_index":0,"delta":" ","logprobs":[],"obfuscation":"';

const RESPONSE =
  '{\n  "id": "resp_",\n  "object": "response",\n  "created_at": 17,\n  "status": "completed",\n  "background": false,\n' +
  '  "error": null,\n  "incomplete_details": null,\n  "instructions": null,\n  "max_output_tokens": null,\n  ' +
  '"max_tool_calls": null,\n  "model": "gpt-5",\n  "output": [\n    {\n      "id": "rs_",\n      "type": "reasoning",\n' +
  '      "summary": []\n    },\n    {\n      "id": "msg_",\n      "type": "message",\n      "status": "completed",\n      ' +
  '"content": [\n        {\n          "type": "output_text",\n          "annotations": [],\n          "logprobs": [],\n' +
  '          "text": ""\n        }\n      ],\n      "role": "assistant"\n    }\n  ],\n  "parallel_tool_calls": true,\n  ' +
  '"previous_response_id": null,\n  "prompt_cache_key": null,\n  "reasoning": {\n    "effort": null,\n    "summary": null' +
  '\n  },\n  "safety_identifier": null,\n  "service_tier": "default",\n  "store": true,\n  "temperature": 1.0,\n  "text": ' +
  '{\n    "format": {\n      "type": "text"\n    },\n    "verbosity": "medium"\n  },\n  "tool_choice": "auto",\n  "tools": ' +
  '[],\n  "top_logprobs": 0,\n  "top_p": 1.0,\n  "truncation": "disabled",\n  "usage": {\n    "input_tokens": 1,\n    ' +
  '"input_tokens_details": {\n      "cached_tokens": 0\n    },\n    "output_tokens": 1,\n    "output_tokens_details": ' +
  '{\n      "reasoning_tokens": 0\n    },\n    "total_tokens": 1\n  },\n  "user": null,\n  "metadata": {}\n}';

const CHAT_STREAM =
  '"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":1,"prompt_tokens_details":{' +
  '"cached_tokens":0,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":0,"audio_tokens":0,' +
  '"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}}}\n\ndata: [DONE]\n\ndata: {"id":"chatcmpl-","object":' +
  '"chat.completion.chunk","created":17,"model":"gpt-4o-mini-2024-07-18","service_tier":"default","system_fingerprint":' +
  '"fp_","choices":[{"index":0,"delta":{"role":"assistant","content":"","refusal":null},"logprobs":null,' +
  '"finish_reason":"stop"}],"usage":null,"obfuscation":"';

const CHAT =
  '{\n  "id": "chatcmpl-",\n  "object": "chat.completion",\n  "created": 17,\n  "model": "gpt-4o-2024-08-06",\n  "choices"' +
  ': [\n    {\n      "index": 0,\n      "message": {\n        "role": "assistant",\n        "content": "",\n        ' +
  '"tool_calls": [\n          {\n            "id": "call_",\n            "type": "function",\n            "function": {\n' +
  '              "name": "",\n              "arguments": ""\n            }\n          }\n        ],\n        "refusal": ' +
  'null,\n        "annotations": []\n      },\n      "logprobs": null,\n      "finish_reason": "stop"\n    }\n  ],\n  ' +
  '"usage": {\n    "prompt_tokens": 1,\n    "completion_tokens": 1,\n    "total_tokens": 1,\n    "prompt_tokens_details": ' +
  '{\n      "cached_tokens": 0,\n      "audio_tokens": 0\n    },\n    "completion_tokens_details": {\n      ' +
  '"reasoning_tokens": 0,\n      "audio_tokens": 0,\n      "accepted_prediction_tokens": 0,\n      ' +
  '"rejected_prediction_tokens": 0\n    }\n  },\n  "service_tier": "default",\n  "system_fingerprint": "fp_"\n}\n';

const ENTRY =
  '["events",200,[["content-type","text/event-stream; charset=utf-8"],["x-request-id","req_"],["request-id","req_"]],' +
  '["value",200,[["content-type","application/json"],["x-request-id","req_"]],"/chat/gpt-4o-2024-08-06/","gpt-4o",' +
  '{"inputTokens":1,"outputTokens":1,"cachedInputTokens":0,"reasoningTokens":0},{},0]';

const TEXT = GEMINI + ANTHROPIC + RESPONSE_STREAM + RESPONSE + CHAT_STREAM + CHAT + ENTRY;
