import type { CallerEnd, CallRecord } from "./record.ts";

interface ChatPiece {
  readonly error?: unknown;
  readonly choices?: readonly {
    readonly delta?: { readonly content?: string };
    readonly message?: { readonly content?: string };
    readonly finish_reason?: string | null;
  }[];
}

const DECODER = new TextDecoder();

/** Adds a chunk of a stream to what the caller has. Throws what an SDK would take for an error. */
export function readEvents(bytes: Uint8Array, record: CallRecord): void {
  const lines = (record.unread + DECODER.decode(bytes, { stream: true })).split("\n");
  record.unread = lines.pop() ?? "";
  for (const line of lines) {
    if (!line.startsWith("data: ") || line === "data: [DONE]") continue;
    const piece = parsed(line.slice(6));
    // An event that is no JSON was sent so by the provider; what follows it is still the answer.
    if (piece === undefined) continue;
    if (piece.error !== undefined) throw new Error("The provider told an error in its stream.");
    take(piece, record);
  }
}

/** Reads an answer that is not streamed. */
export function readWhole(text: string, record: CallRecord): CallerEnd {
  const piece = parsed(text);
  if (piece === undefined || piece.error !== undefined) return "failed";
  take(piece, record);
  return record.finishReason === undefined ? "failed" : "answered";
}

function take({ choices = [] }: ChatPiece, record: CallRecord): void {
  const choice = choices[0];
  record.text += choice?.delta?.content ?? choice?.message?.content ?? "";
  if (typeof choice?.finish_reason === "string") record.finishReason = choice.finish_reason;
}

function parsed(text: string): ChatPiece | undefined {
  try {
    return JSON.parse(text) as ChatPiece;
  } catch {
    return undefined;
  }
}
