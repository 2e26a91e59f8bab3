import { jsonLines, linesOf, TraceError } from "../read-traces.ts";
import type { TracedCall } from "./traced-call.ts";

/** Reads what {@link recordTrace} wrote: a {@link TracedCall} as JSON on each line. Throws {@link TraceError}. */
export function* readTracedCalls(text: string): Generator<TracedCall> {
  for (const { line, value } of jsonLines(text)) {
    if (!Number.isFinite((value as Partial<TracedCall>).at)) throw new TraceError(line, 'lacks "at"');
    yield value as TracedCall;
  }
}

/**
 * Reads a trace of Azure (`TIMESTAMP,ContextTokens,GeneratedTokens`; Patel et al., "Splitwise", ISCA 2024). Throws
 * {@link TraceError}.
 */
export function* readAzureCalls(text: string): Generator<TracedCall> {
  for (const [line, row] of linesOf(text).slice(1)) {
    const [time = "", input, output] = row.split(",");
    // Seven decimals of a second are more than a date takes.
    const at = Date.parse(`${time.trim().replace(" ", "T").slice(0, 23)}Z`);
    yield checked(line, { at, inputTokens: Number(input), outputTokens: Number(output) });
  }
}

/**
 * Reads a trace of Mooncake (`timestamp`, `input_length`, `output_length`, `hash_ids` as JSON on each line; Qin et al.,
 * "Mooncake: Trading More Storage for Less Computation", FAST 2025). Prompts whose last block and length are the same ask
 * the same. Throws {@link TraceError}.
 */
export function* readMooncakeCalls(text: string): Generator<TracedCall> {
  for (const { line, value } of jsonLines(text)) {
    const { timestamp, input_length, output_length, hash_ids } = value as Record<string, unknown>;
    const [at, inputTokens, outputTokens] = [Number(timestamp), Number(input_length), Number(output_length)];
    const last: unknown = Array.isArray(hash_ids) ? hash_ids.at(-1) : undefined;
    const question = last === undefined ? undefined : `${last}:${inputTokens}`;
    yield checked(line, { at, inputTokens, outputTokens, question });
  }
}

const BURSTGPT_COLUMNS = ["Timestamp", "Model", "Request tokens", "Response tokens"] as const;

/**
 * Reads a trace of BurstGPT, of any release: columns `Timestamp` (seconds), `Model`, `Request tokens`, `Response tokens`,
 * and where they are there `Session ID`, taken for the client, and `Elapsed time` (seconds). An answer of no tokens has
 * failed. Wang et al., "BurstGPT: A Real-world Workload Dataset to Optimize LLM Serving Systems", KDD 2025. Throws
 * {@link TraceError}.
 */
export function* readBurstGptCalls(text: string): Generator<TracedCall> {
  const [first, ...rest] = linesOf(text);
  const columns = (first?.[1] ?? "").split(",").map((name) => name.trim());
  const missing = BURSTGPT_COLUMNS.find((name) => !columns.includes(name));
  if (missing !== undefined) throw new TraceError(first?.[0] ?? 1, `lacks the column "${missing}"`);
  for (const [line, row] of rest) {
    const cells = row.split(",").map((cell) => cell.trim());
    const cell = (name: string): string | undefined => cells[columns.indexOf(name)] || undefined;
    const outputTokens = Number(cell("Response tokens"));
    const failed = outputTokens === 0;
    const elapsed = cell("Elapsed time");
    yield checked(line, {
      at: Number(cell("Timestamp")) * 1000,
      model: cell("Model"),
      inputTokens: Number(cell("Request tokens")),
      outputTokens,
      client: cell("Session ID"),
      providerMs: elapsed === undefined || failed ? undefined : Number(elapsed) * 1000,
      ...(failed ? { outcome: "server_error", failures: ["server_error"] } : {}),
    });
  }
}

function checked(line: number, call: TracedCall): TracedCall {
  const { at, inputTokens = 0, outputTokens = 0, providerMs = 0 } = call;
  if ([at, inputTokens, outputTokens, providerMs].every(Number.isFinite)) return call;
  throw new TraceError(line, "is not a time and two numbers of tokens");
}
