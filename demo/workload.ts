import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type PriorityName, seededRandom } from "../src/index.ts";

/** One call of the recorded traffic, before any client has it. */
export interface PlannedCall {
  /** When it arrives, milliseconds after the start. */
  readonly atMs: number;
  readonly prompt: string;
  readonly outputTokens: number;
  readonly stream: boolean;
  readonly priority: PriorityName;
}

export interface Workload {
  readonly calls: readonly PlannedCall[];
  /** Length of the recorded stretch, before compression. */
  readonly recordedSeconds: number;
  /** Calls whose whole prompt came up before. */
  readonly repeats: number;
  /** Tokens that the recorded calls had. */
  readonly recordedTokens: number;
}

const DATA = join(import.meta.dirname, "data");
const CHARS_PER_TOKEN = 4;
// The share of exact repeats in Mooncake's public synthetic trace; the Azure trace does not tell its own.
const REPEAT_SHARE = 0.053;
const STREAM_SHARE = 0.5;
const PRIORITY_SHARES: readonly (readonly [PriorityName, number])[] = [
  ["high", 0.1],
  ["normal", 0.6],
  ["low", 0.3],
];

interface Row {
  readonly atMs: number;
  readonly inputTokens: number;
  readonly outputTokens: number;
}

/**
 * Recorded arrival times and token counts with real questions in them, compressed in time. The same seed gives the
 * same calls. The questions are padded with earlier ones, as a conversation is, to the recorded length. Another round has
 * other prompts.
 */
export function createWorkload(count: number, speed: number, seed: number, round = 0): Workload {
  const random = seededRandom(seed);
  const rows = readTrace().slice(0, count);
  const questions = readFileSync(join(DATA, "banking77-questions.txt"), "utf8").trim().split("\n");
  const prompts: string[] = [];
  let repeats = 0;
  const calls = rows.map((row, index): PlannedCall => {
    const repeated =
      prompts.length > 0 && random() < REPEAT_SHARE ? prompts[Math.floor(random() * prompts.length)] : undefined;
    if (repeated === undefined) prompts.push(promptOf(questions, index + round * count, row.inputTokens));
    else repeats++;
    return {
      atMs: row.atMs / speed,
      prompt: repeated ?? (prompts.at(-1) as string),
      outputTokens: Math.max(1, row.outputTokens),
      stream: random() < STREAM_SHARE,
      priority: pick(PRIORITY_SHARES, random()),
    };
  });
  return {
    calls,
    repeats,
    recordedSeconds: (rows.at(-1)?.atMs ?? 0) / 1000,
    recordedTokens: rows.reduce((sum, row) => sum + row.inputTokens + row.outputTokens, 0),
  };
}

export const TRACE_LENGTH_MAX = 3000;

function readTrace(): Row[] {
  const [, ...lines] = readFileSync(join(DATA, "azure-conv-2023.csv"), "utf8").trim().split("\n");
  const rows = lines.map((line) => {
    const [timestamp, input, output] = line.split(",") as [string, string, string];
    return {
      at: Date.parse(`${timestamp.slice(0, 23).replace(" ", "T")}Z`),
      input: Number(input),
      output: Number(output),
    };
  });
  const start = rows[0]?.at ?? 0;
  return rows.map(({ at, input, output }) => ({ atMs: at - start, inputTokens: input, outputTokens: output }));
}

function promptOf(questions: readonly string[], index: number, tokens: number): string {
  const question = `Question ${index + 1}: ${questions[index % questions.length]}`;
  let context = "";
  for (let n = 1; context.length + question.length < tokens * CHARS_PER_TOKEN; n++) {
    context += `${questions[(index * 31 + n) % questions.length]}\n`;
  }
  return `${context.slice(0, Math.max(0, tokens * CHARS_PER_TOKEN - question.length))}\n${question}`;
}

function pick<T>(shares: readonly (readonly [T, number])[], chance: number): T {
  let sum = 0;
  for (const [value, share] of shares) {
    sum += share;
    if (chance < sum) return value;
  }
  return (shares.at(-1) as readonly [T, number])[0];
}
