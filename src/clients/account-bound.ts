const STORED = ["previous_response_id", "conversation"] as const;
const DEPTH_MAX = 4;

/**
 * Whether a request of the OpenAI dialect refers to what its own account has stored: an earlier response, a conversation,
 * a prompt, a file, a vector store. No other account can answer it.
 */
export function isBoundToAccount(request: Readonly<Record<string, unknown>>): boolean {
  if (STORED.some((field) => isFilled(request[field])) || request["background"] === true) return true;
  if (typeof request["prompt"] === "object" && request["prompt"] !== null) return true;
  return (
    refersToStored(request["messages"], 0) || refersToStored(request["input"], 0) || refersToStored(request["tools"], 0)
  );
}

function isFilled(value: unknown): boolean {
  return value !== undefined && value !== null && value !== "";
}

// Items, their content, its parts and what these hold: nothing deeper refers to anything.
function refersToStored(value: unknown, depth: number): boolean {
  if (typeof value !== "object" || value === null || depth > DEPTH_MAX) return false;
  if (Array.isArray(value)) return value.some((item) => refersToStored(item, depth + 1));
  const { type, file_id, vector_store_ids, content, file } = value as Readonly<Record<string, unknown>>;
  if (type === "item_reference" || isFilled(file_id) || isFilled(vector_store_ids)) return true;
  return refersToStored(content, depth + 1) || refersToStored(file, depth + 1);
}
