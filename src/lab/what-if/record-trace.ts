import { type FaultKind, functionOf, integerIn, knownKeys, type Priority } from "../../core/index.ts";
import type { Optimizer } from "../../optimizer.ts";
import type { TracedCall } from "./traced-call.ts";

export interface RecordTraceOptions {
  /** Takes one line, with its line break, for each call that ends. One that throws loses the line, not the call. */
  readonly write: (line: string) => void;
  /** How many calls are written: 1 to 100,000,000. Those after them are only counted. Default 1,000,000. */
  readonly maxCalls?: number | undefined;
}

export interface TraceRecording {
  readonly recorded: number;
  /** Calls that came after `maxCalls`. */
  readonly dropped: number;
  /** Ends it; what has not ended by then is not written. */
  stop(): void;
}

const MAX_CALLS = 1_000_000;
const OPEN_MAX = 100_000;
const CLIENTS_MAX = 10_000;
const QUESTIONS_MAX = 100_000;

/** What is known of a call before it ends. */
interface OpenCall {
  question?: string | undefined;
  failures?: FaultKind[];
  providerMs?: number;
  firstTokenMs?: number | undefined;
}

/**
 * Writes down the shape of every call as a line of JSON: times, tokens, model, how it ended. No prompt, no answer, no key; clients
 * are numbered, and so are questions, where the cache is on, so that a trace tells which were the same. Read it again
 * with {@link readTracedCalls}. Throws `OptionError`.
 */
export function recordTrace(optimizer: Optimizer, options: RecordTraceOptions): TraceRecording {
  knownKeys("recordTrace", options, ["write", "maxCalls"]);
  const write = functionOf("recordTrace.write", options.write);
  const maxCalls = integerIn("recordTrace.maxCalls", options.maxCalls ?? MAX_CALLS, 1, 100_000_000);
  const open = new Map<string, OpenCall>();
  const clients = new Numbered("c", CLIENTS_MAX);
  const questions = new Numbered("q", QUESTIONS_MAX);
  let [recorded, dropped] = [0, 0];

  const openOf = (id: string | undefined): OpenCall => {
    const known = id === undefined ? undefined : open.get(id);
    if (known !== undefined) return known;
    const made: OpenCall = {};
    if (id !== undefined && open.size < OPEN_MAX) open.set(id, made);
    return made;
  };
  const ask = (id: string | undefined): void => {
    const key = id === undefined ? undefined : optimizer.explain(id)?.cacheKey;
    if (key !== undefined) openOf(id).question = questions.of(key);
  };
  const end = (id: string | undefined, call: TracedCall): void => {
    const known = id === undefined ? undefined : open.get(id);
    if (id !== undefined) open.delete(id);
    if (recorded >= maxCalls) {
      dropped++;
      return;
    }
    recorded++;
    write(`${JSON.stringify({ ...call, ...known })}\n`);
  };

  const ends = [
    optimizer.on("cache.hit", ({ callId }) => ask(callId)),
    optimizer.on("cache.miss", ({ callId }) => ask(callId)),
    optimizer.on("attempt.failed", ({ callId, errorType }) => {
      const call = openOf(callId);
      call.failures ??= [];
      call.failures.push(errorType);
    }),
    optimizer.on("attempt.completed", ({ callId, durationMs, firstContentMs }) => {
      const call = openOf(callId);
      call.providerMs = durationMs;
      call.firstTokenMs = firstContentMs;
    }),
    optimizer.on("call.completed", (event) => {
      end(event.callId, { ...shapeOf(event, clients), servedBy: event.servedBy });
    }),
    optimizer.on("call.failed", (event) => {
      end(event.callId, { ...shapeOf(event, clients), outcome: event.errorType });
    }),
    optimizer.on("call.cancelled", (event) => {
      end(event.callId, { ...shapeOf(event, clients), outcome: "aborted" });
    }),
  ];
  return {
    get recorded() {
      return recorded;
    },
    get dropped() {
      return dropped;
    },
    stop() {
      for (const off of ends) off();
      open.clear();
    },
  };
}

interface EndedCall {
  readonly ts: number;
  readonly model: string | undefined;
  readonly stream: boolean;
  readonly priority: number;
  readonly client: string | undefined;
  readonly durationMs: number;
  readonly usage: { readonly inputTokens: number; readonly outputTokens: number } | undefined;
}

function shapeOf({ ts, model, stream, priority, client, durationMs, usage }: EndedCall, clients: Numbered): TracedCall {
  return {
    at: ts - durationMs,
    model,
    stream,
    priority: priority as Priority,
    client: client === undefined ? undefined : clients.of(client),
    inputTokens: usage?.inputTokens,
    outputTokens: usage?.outputTokens,
    durationMs,
  };
}

/** Numbers in place of names, for as many as are kept; the oldest is forgotten first, and is another one when it comes again. */
class Numbered {
  readonly #numbers = new Map<string, string>();
  readonly #prefix: string;
  readonly #max: number;
  #count = 0;

  constructor(prefix: string, max: number) {
    this.#prefix = prefix;
    this.#max = max;
  }

  of(name: string): string {
    const known = this.#numbers.get(name);
    if (known !== undefined) return known;
    const number = `${this.#prefix}${++this.#count}`;
    this.#numbers.set(name, number);
    if (this.#numbers.size > this.#max) this.#numbers.delete(this.#numbers.keys().next().value as string);
    return number;
  }
}
