import type { Call } from "../../core/index.ts";
import { encodingWork } from "./encoding-work.ts";

/** How many tokens a text has. */
export type CountText = (text: string) => number;

/** Of the work that `encodingWork` tells. Measured: 0.3 to 0.9 ms of a 2024 server's time. */
const WORK_MAX = 1_500;
const MESSAGE_TOKENS = 3;
/** What begins the answer. */
const REPLY_TOKENS = 3;
const REPLY_TOKENS_OF_REASONING = 2;
const PLAIN_MODELS = /^(?:ft:)?(?:chatgpt-4o|gpt-4o|gpt-4\.1|gpt-4\.5)/;
const REASONING_MODELS = /^(?:ft:)?(?:gpt-5|o3|o4)/;
const PROVIDERS = new Set(["openai", "azure.ai.openai"]);
const PLAIN_FIELDS = new Set(["type", "role", "content"]);
const TEXT_PARTS = new Set(["text", "input_text", "output_text"]);
/** What puts words of its own, or of an earlier call, into the prompt. */
const OTHER_WORDS = [
  "tools",
  "functions",
  "response_format",
  "text",
  "previous_response_id",
  "conversation",
  "prompt",
] as const;

/**
 * The prompt tokens of a short request in plain text, as OpenAI counts them: what begins the answer, and three for each
 * message with its role and content. `undefined` where it does not apply or would take long.
 *
 * https://github.com/openai/openai-cookbook/blob/main/examples/How_to_count_tokens_with_tiktoken.ipynb
 */
export function countedPrompt({ provider, model, request, inputChars }: Call, count: CountText): number | undefined {
  // A character takes at least a byte.
  if (inputChars > WORK_MAX || !PROVIDERS.has(provider)) return undefined;
  const replyTokens = replyTokensOf(model);
  if (replyTokens === undefined) return undefined;
  const texts = textsOf(request);
  if (texts === undefined || workOf(texts) > WORK_MAX) return undefined;
  return texts.reduce((tokens, text) => tokens + count(text), replyTokens + (texts.length / 2) * MESSAGE_TOKENS);
}

function replyTokensOf(model: string): number | undefined {
  if (PLAIN_MODELS.test(model)) return REPLY_TOKENS;
  return REASONING_MODELS.test(model) ? REPLY_TOKENS_OF_REASONING : undefined;
}

function workOf(texts: readonly string[]): number {
  let work = 0;
  for (const text of texts) {
    work += encodingWork(text, WORK_MAX - work);
    if (work > WORK_MAX) break;
  }
  return work;
}

/** Role and content of each message in turn; `undefined`: there is something else in the prompt. */
function textsOf(request: unknown): string[] | undefined {
  if (typeof request !== "object" || request === null) return undefined;
  const fields = request as Readonly<Record<string, unknown>>;
  if (OTHER_WORDS.some((field) => fields[field] != null)) return undefined;
  const { instructions, messages, input = messages } = fields;
  const texts: string[] = [];
  if (instructions != null) {
    if (typeof instructions !== "string") return undefined;
    texts.push("system", instructions);
  }
  if (typeof input === "string") return [...texts, "user", input];
  if (!Array.isArray(input) || input.length > WORK_MAX) return undefined;
  for (const message of input) {
    const text = plainMessage(message);
    if (text === undefined) return undefined;
    texts.push(...text);
  }
  return texts;
}

function plainMessage(message: unknown): [role: string, content: string] | undefined {
  if (typeof message !== "object" || message === null) return undefined;
  if (Object.keys(message).some((field) => !PLAIN_FIELDS.has(field))) return undefined;
  const { role, content } = message as Readonly<Record<string, unknown>>;
  if (typeof role !== "string") return undefined;
  if (typeof content === "string") return [role, content];
  const part: unknown = Array.isArray(content) && content.length === 1 ? content[0] : undefined;
  if (typeof part !== "object" || part === null || !("type" in part && "text" in part)) return undefined;
  return TEXT_PARTS.has(String(part.type)) && typeof part.text === "string" ? [role, part.text] : undefined;
}
