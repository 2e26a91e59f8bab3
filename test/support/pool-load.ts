import {
  type Call,
  type Next,
  type Outcome,
  type Priority,
  type Random,
  type Runtime,
  seededRandom,
  valueReply,
  whole,
} from "../../src/core/index.ts";
import { callOf, virtualRuntime } from "./calls.ts";

/** One row of calls with random gaps between them. */
export interface Source {
  readonly name: string;
  readonly priority?: Priority;
  readonly callsPerSecond: number;
  readonly inputTokens: number;
  /** On average; the lengths of answers vary as those of models do. */
  readonly outputTokens: number;
}

/** What became of one call. Times are milliseconds. */
export interface Served {
  readonly source: Source;
  readonly arrivedAt: number;
  /** `undefined`: it was refused, or still waited at the end. */
  readonly admittedAt: number | undefined;
  readonly endedAt: number | undefined;
  readonly refused: boolean;
  readonly retryAfterMs: number | undefined;
  /** Weighted tokens: input and twice the output. */
  readonly cost: number;
}

/** Who decides which call is next: a pool, or an anchor beside it. */
export interface Scheduler {
  handle(call: Call, next: Next): Promise<Outcome>;
  snapshot(): { readonly running: number; readonly queued: number; readonly concurrency: number };
}

export interface Load {
  readonly calls: readonly Served[];
  /** Slots that were taken, as a share of all, over the time in which somebody waited. */
  readonly utilisation: number;
}

const MS_PER_INPUT_TOKEN = 1;
const MS_PER_OUTPUT_TOKEN = 10;
const OUTPUT_SIGMA = 0.6;

/** Mean time that a call of that source holds its slot. */
export function serviceMs({ inputTokens, outputTokens }: Source): number {
  return inputTokens * MS_PER_INPUT_TOKEN + outputTokens * MS_PER_OUTPUT_TOKEN;
}

/** Sends the calls of all sources through one scheduler for `seconds` of virtual time. */
export async function runLoad(
  sources: readonly Source[],
  build: (runtime: Runtime) => Scheduler,
  seconds: number,
  seed: number,
): Promise<Load> {
  const { clock, runtime } = virtualRuntime(seed);
  const policy = build(runtime);
  const calls: Served[] = [];
  let [busyMs, backlogMs] = [0, 0];
  let since = 0;
  const measure = (): void => {
    const { running, queued, concurrency } = policy.snapshot();
    const ms = clock.now() - since;
    since = clock.now();
    if (queued === 0) return;
    backlogMs += ms * concurrency;
    busyMs += ms * running;
  };
  for (const [index, source] of sources.entries()) {
    const random = seededRandom(seed * 1_000 + index);
    const next = (): void => {
      clock.timer((-Math.log(1 - random()) / source.callsPerSecond) * 1_000, () => {
        measure();
        void send(source, random);
        next();
      });
    };
    next();
  }
  const send = async (source: Source, random: Random): Promise<void> => {
    const outputTokens = Math.max(1, Math.round(source.outputTokens * lognormal(random)));
    const usage = { inputTokens: source.inputTokens, outputTokens };
    const call = callOf(runtime, () => answerAfter(runtime, serviceMs({ ...source, outputTokens }), usage), {
      inputChars: source.inputTokens * 4,
      scope: { client: source.name, priority: source.priority },
    });
    const served = {
      source,
      arrivedAt: clock.now(),
      admittedAt: undefined as number | undefined,
      endedAt: undefined as number | undefined,
      refused: false,
      retryAfterMs: undefined as number | undefined,
      cost: usage.inputTokens + 2 * outputTokens,
    };
    calls.push(served);
    const outcome = await policy.handle(call, (inner) => {
      served.admittedAt = clock.now();
      return inner.send(inner);
    });
    if (outcome.ok) served.endedAt = clock.now();
    else {
      served.refused = true;
      served.retryAfterMs = outcome.retryAfterMs;
    }
  };
  await clock.advance(seconds * 1_000);
  measure();
  return { calls, utilisation: backlogMs === 0 ? 1 : busyMs / backlogMs };
}

function answerAfter(
  { clock }: Runtime,
  ms: number,
  usage: { inputTokens: number; outputTokens: number },
): Promise<Outcome> {
  return new Promise((resolve) => clock.timer(ms, () => resolve(valueReply("answer", whole({ usage })))));
}

// With a mean of 1.
function lognormal(random: Random): number {
  const normal = Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  return Math.exp(OUTPUT_SIGMA * normal - OUTPUT_SIGMA ** 2 / 2);
}

export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)] ?? 0;
}

/** Queue waits of the calls that were admitted. */
export function waits(calls: readonly Served[]): number[] {
  return calls.flatMap(({ arrivedAt, admittedAt }) => (admittedAt === undefined ? [] : [admittedAt - arrivedAt]));
}

/** Jain's index: 1 when all are equal, 1/n when one has everything. */
export function jain(values: readonly number[]): number {
  const sum = values.reduce((total, value) => total + value, 0);
  const squares = values.reduce((total, value) => total + value * value, 0);
  return squares === 0 ? 1 : (sum * sum) / (values.length * squares);
}
