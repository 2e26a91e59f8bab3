/** What the simulation understands of a request; everything else in it is ignored. */
export interface Asked {
  readonly endpoint: "chat" | "responses" | "embeddings";
  readonly model: string;
  readonly stream: boolean;
  /** The whole input as text: what the answer is derived from. */
  readonly prompt: string;
  readonly promptTokens: number;
  readonly maxTokens: number | undefined;
  /** `metadata.output_tokens`: how long the answer would be. */
  readonly wantedTokens: number | undefined;
  /** `metadata.reasoning_tokens`: tokens spent before the first visible one. */
  readonly reasoningTokens: number;
  readonly choices: number;
  readonly tool: ToolAsked | undefined;
  /** The JSON schema of the answer; `{}` for any JSON; absent for text. */
  readonly jsonSchema: JsonSchema | undefined;
  readonly includeUsage: boolean;
  readonly obfuscate: boolean;
  /** One text per embedding. */
  readonly inputs: readonly string[];
  readonly dimensions: number | undefined;
  readonly base64: boolean;
}

export interface ToolAsked {
  readonly name: string;
  readonly parameters: JsonSchema;
}

export type JsonSchema = Readonly<Record<string, unknown>>;

/** A request that the provider answers with 400. */
export class BadRequest extends Error {
  readonly param: string | null;

  constructor(message: string, param: string | null = null) {
    super(message);
    this.param = param;
  }
}

const CHARS_PER_TOKEN = 4;
const TOKENS_PER_MESSAGE = 4;
const OUTPUT_TOKENS_MAX = 100_000;
const CHOICES_MAX = 128;

/** The text's tokens by its length, four characters each: a simulation's measure, not a tokenizer's. */
export function tokensOf(text: string): number {
  return Math.ceil(text.length / CHARS_PER_TOKEN);
}

/** Reads a body. Throws {@link BadRequest}. */
export function readRequest(endpoint: Asked["endpoint"], body: Readonly<Record<string, unknown>>): Asked {
  const model = body["model"];
  if (typeof model !== "string" || model === "") throw new BadRequest("you must provide a model parameter", "model");
  if (endpoint === "embeddings") return readEmbeddings(model, body);
  const messages = messagesOf(endpoint, body);
  const prompt = messages.join("\n");
  const metadata = recordOf(body["metadata"]);
  return {
    endpoint,
    model,
    stream: body["stream"] === true,
    prompt,
    promptTokens: 3 + messages.length * TOKENS_PER_MESSAGE + tokensOf(prompt),
    maxTokens: countOf(body["max_completion_tokens"] ?? body["max_tokens"] ?? body["max_output_tokens"]),
    wantedTokens: countOf(metadata["output_tokens"]),
    reasoningTokens: countOf(metadata["reasoning_tokens"]) ?? 0,
    choices: endpoint === "chat" ? Math.min(countOf(body["n"]) ?? 1, CHOICES_MAX) : 1,
    tool: toolAsked(body),
    jsonSchema: jsonSchemaAsked(body),
    includeUsage: recordOf(body["stream_options"])["include_usage"] === true,
    obfuscate: recordOf(body["stream_options"])["include_obfuscation"] !== false,
    inputs: [],
    dimensions: undefined,
    base64: false,
  };
}

function readEmbeddings(model: string, body: Readonly<Record<string, unknown>>): Asked {
  const inputs = embeddingInputs(body["input"]);
  return {
    endpoint: "embeddings",
    model,
    stream: false,
    prompt: inputs.join("\n"),
    promptTokens: inputs.reduce((sum, text) => sum + tokensOf(text), 0),
    maxTokens: undefined,
    wantedTokens: undefined,
    reasoningTokens: 0,
    choices: 1,
    tool: undefined,
    jsonSchema: undefined,
    includeUsage: false,
    obfuscate: false,
    inputs,
    dimensions: countOf(body["dimensions"]),
    base64: body["encoding_format"] === "base64",
  };
}

function embeddingInputs(input: unknown): readonly string[] {
  if (typeof input === "string") return [input];
  if (!Array.isArray(input) || input.length === 0) throw new BadRequest("'input' is a required property", "input");
  if (typeof input[0] === "number") return [input.join(" ")];
  return input.map((item) => (Array.isArray(item) ? item.join(" ") : String(item)));
}

function messagesOf(endpoint: Asked["endpoint"], body: Readonly<Record<string, unknown>>): readonly string[] {
  const instructions = typeof body["instructions"] === "string" ? [body["instructions"]] : [];
  const given = endpoint === "chat" ? body["messages"] : body["input"];
  if (typeof given === "string" && endpoint === "responses") return [...instructions, given];
  if (Array.isArray(given) && given.length > 0) return [...instructions, ...given.map(messageText)];
  const name = endpoint === "chat" ? "messages" : "input";
  throw new BadRequest(`Missing required parameter: '${name}'.`, name);
}

// Content that is not text (images, tool calls ...) stands as its JSON, so that it makes a difference.
function messageText(message: unknown): string {
  const { role, content, ...rest } = recordOf(message);
  const text = typeof content === "string" ? content : JSON.stringify(content ?? null);
  const more = Object.keys(rest).length === 0 ? "" : JSON.stringify(rest);
  return `${String(role)}: ${text}${more}`;
}

// Chat: {type, function: {name, parameters}}; responses: {type, name, parameters}.
function toolAsked(body: Readonly<Record<string, unknown>>): ToolAsked | undefined {
  const choice = body["tool_choice"];
  const tools = Array.isArray(body["tools"]) ? body["tools"].map(functionOfTool) : [];
  if (choice === "required") return tools[0];
  const named = functionOfTool(choice).name;
  return tools.find((tool) => tool.name !== "" && tool.name === named);
}

function functionOfTool(tool: unknown): ToolAsked {
  const outer = recordOf(tool);
  const inner = "function" in outer ? recordOf(outer["function"]) : outer;
  return { name: String(inner["name"] ?? ""), parameters: recordOf(inner["parameters"]) };
}

// Chat: response_format {type, json_schema: {schema}}; responses: text.format {type, schema}.
function jsonSchemaAsked(body: Readonly<Record<string, unknown>>): JsonSchema | undefined {
  const format = recordOf(body["response_format"] ?? recordOf(body["text"])["format"]);
  if (format["type"] === "json_object") return {};
  if (format["type"] !== "json_schema") return undefined;
  return recordOf(recordOf(format["json_schema"])["schema"] ?? format["schema"]);
}

function countOf(value: unknown): number | undefined {
  const number = typeof value === "string" ? Number(value) : value;
  if (typeof number !== "number" || !Number.isFinite(number) || number < 0) return undefined;
  return Math.min(Math.floor(number), OUTPUT_TOKENS_MAX);
}

/** The value if it is an object, else an empty one. */
export function recordOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? { ...value } : {};
}
