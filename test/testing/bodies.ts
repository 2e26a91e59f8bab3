import type { ProviderModelOptions } from "../../src/testing/index.ts";

/** No spread: every token takes 10 ms, the first one 100 ms. */
export const STEADY: ProviderModelOptions = {
  latency: { firstToken: 100, firstTokenSigma: 0, perInputToken: 0, perToken: 10, perTokenSigma: 0 },
};

export const CHAT_URL = "http://provider.test/v1/chat/completions";

/** A chat request whose answer has `tokens` tokens. */
export function chat(content: string, tokens: number, more: Record<string, unknown> = {}): RequestInit {
  const { metadata, ...rest } = more;
  const body = {
    model: "m",
    messages: [{ role: "user", content }],
    metadata: { output_tokens: String(tokens), ...(metadata as object | undefined) },
    ...rest,
  };
  return { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
}

/** The JSON of the `data:` lines of a stream, without `[DONE]`. */
export function events(text: string): Record<string, unknown>[] {
  return text
    .split("\n")
    .filter((line) => line.startsWith("data: ") && line !== "data: [DONE]")
    .map((line) => JSON.parse(line.slice("data: ".length)));
}

/** What a promise rejects with. */
export async function failureOf(promise: Promise<unknown>): Promise<Error & { cause?: { code?: string } }> {
  try {
    await promise;
  } catch (error) {
    return error as Error & { cause?: { code?: string } };
  }
  throw new Error("The promise did not reject.");
}
