/** Who writes an answer in the form of one endpoint. `opening`, `step` and `closing` make up its stream, in order. */
export interface AnswerWriter {
  /** The body of an answer that is not streamed. */
  whole(): Readonly<Record<string, unknown>>;
  /** The events before the first token. */
  opening(): string;
  /** The events of token `index`. */
  step(index: number): string;
  closing(): string;
  /** An error inside the stream, after which nothing follows. */
  failure(error: ErrorBody): string;
}

export interface ErrorBody {
  readonly message: string;
  readonly type: string;
  readonly param: string | null;
  readonly code: string | null;
}

/** What every writer is told. */
export interface AnswerFacts {
  readonly id: string;
  readonly model: string;
  /** Seconds since the Unix epoch. */
  readonly created: number;
  readonly promptTokens: number;
  readonly cachedTokens: number;
}

/** One event of a stream. */
export function sse(data: unknown, event?: string): string {
  const name = event === undefined ? "" : `event: ${event}\n`;
  return `${name}data: ${JSON.stringify(data)}\n\n`;
}
