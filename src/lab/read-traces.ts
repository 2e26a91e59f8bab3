import { BreakwaterError, integerIn, knownKeys, numberIn, oneOf, seededRandom } from "../core/index.ts";
import type { CacheRequest } from "./cache-trace.ts";
import { answerBytes, answerMs, costOf, type Pricing } from "./pricing.ts";

/** A line of a trace cannot be read; `line` counts from 1. */
export class TraceError extends BreakwaterError {
  readonly line: number;

  constructor(line: number, what: string, cause?: unknown) {
    super("TRACE_UNREADABLE", `Line ${line} of the trace ${what}.`, { cause });
    this.line = line;
  }
}

/** Reads a trace of your own: a {@link CacheRequest} as JSON on each line. Throws {@link TraceError}. */
export function* readJsonTrace(text: string): Generator<CacheRequest> {
  for (const { line, value } of jsonLines(text)) {
    const { key, bytes, cost } = value as Partial<CacheRequest>;
    if (typeof key !== "string" || typeof bytes !== "number" || typeof cost !== "number") {
      throw new TraceError(line, 'lacks "key", "bytes" or "cost"');
    }
    yield value as CacheRequest;
  }
}

export interface MooncakeOptions extends Pricing {
  /** `"prompt"`: one request for each prompt as a whole; `"block"`: one for each 512 tokens of it. Default `"prompt"`. */
  readonly per?: "prompt" | "block" | undefined;
}

const BLOCK_TOKENS = 512;
const BLOCK_BYTES = 2048;

/**
 * Reads a trace of Mooncake (`timestamp`, `input_length`, `output_length`, `hash_ids` as JSON on each line; Qin et al.,
 * "Mooncake: Trading More Storage for Less Computation", FAST 2025). Two prompts count as equal when their last block and
 * their length are: a block's id stands for all that comes before it. Blocks are all of one size and cost. Throws
 * {@link TraceError} and {@link OptionError}.
 */
export function* readMooncakeTrace(text: string, options: MooncakeOptions = {}): Generator<CacheRequest> {
  knownKeys("readMooncakeTrace", options, ["per", "input", "output"]);
  const per = oneOf("readMooncakeTrace.per", options.per ?? "prompt", ["prompt", "block"]);
  for (const { line, value } of jsonLines(text)) {
    const { timestamp: at, input_length: input, output_length: output, hash_ids: blocks } = value as MooncakeRow;
    if (![at, input, output].every(Number.isFinite) || !Array.isArray(blocks)) {
      throw new TraceError(line, 'lacks "timestamp", "input_length", "output_length" or "hash_ids"');
    }
    if (per === "block") {
      const cost = costOf(BLOCK_TOKENS, 0, options);
      for (const block of blocks) yield { key: String(block), bytes: BLOCK_BYTES, cost, at };
    } else {
      const cost = costOf(input, output, options);
      yield { key: `${blocks.at(-1)}:${input}`, bytes: answerBytes(output), cost, tookMs: answerMs(output), at };
    }
  }
}

interface MooncakeRow {
  readonly timestamp: number;
  readonly input_length: number;
  readonly output_length: number;
  readonly hash_ids: readonly number[];
}

export interface AzureOptions extends Pricing {
  /** Share of requests that ask what was asked before. Default 0.3. */
  readonly repeatShare?: number | undefined;
  /** Default 1. */
  readonly seed?: number | undefined;
}

/**
 * Reads a trace of Azure (`TIMESTAMP,ContextTokens,GeneratedTokens`; Patel et al., "Splitwise", ISCA 2024). Times and
 * lengths are the trace's. It does not tell which requests were equal, so that is drawn: a share of them repeats an
 * earlier one, the first with the most followers (Zipf's law with exponent 1). Throws {@link TraceError} and
 * {@link OptionError}.
 */
export function* readAzureTrace(text: string, options: AzureOptions = {}): Generator<CacheRequest> {
  knownKeys("readAzureTrace", options, ["repeatShare", "seed", "input", "output"]);
  const repeatShare = numberIn("readAzureTrace.repeatShare", options.repeatShare ?? 0.3, 0, 1);
  const random = seededRandom(integerIn("readAzureTrace.seed", options.seed ?? 1, 0));
  const asked: CacheRequest[] = [];
  for (const [line, row] of linesOf(text).slice(1)) {
    const [time = "", inputText, outputText] = row.split(",");
    const [input, output] = [Number(inputText), Number(outputText)];
    // Seven decimals of a second are more than a date takes.
    const at = Date.parse(`${time.trim().replace(" ", "T").slice(0, 23)}Z`);
    if (![at, input, output].every(Number.isFinite)) {
      throw new TraceError(line, "is not a time and two numbers of tokens");
    }
    const earlier = random() < repeatShare ? asked[Math.floor((asked.length + 1) ** random()) - 1] : undefined;
    if (earlier !== undefined) {
      yield { ...earlier, at };
      continue;
    }
    const cost = costOf(input, output, options);
    const request = { key: `row-${line}`, bytes: answerBytes(output), cost, tookMs: answerMs(output), at };
    asked.push(request);
    yield request;
  }
}

/** The lines of a text that are not blank. */
export function linesOf(text: string): [line: number, content: string][] {
  return text
    .split(/\r?\n/)
    .map((content, index): [number, string] => [index + 1, content])
    .filter(([, content]) => content.trim() !== "");
}

/** The object on each line. Throws {@link TraceError}. */
export function* jsonLines(text: string): Generator<{ line: number; value: object }> {
  for (const [line, content] of linesOf(text)) {
    let value: unknown;
    try {
      value = JSON.parse(content);
    } catch (error) {
      throw new TraceError(line, "is not JSON", error);
    }
    if (typeof value !== "object" || value === null) throw new TraceError(line, "is not an object");
    yield { line, value };
  }
}
