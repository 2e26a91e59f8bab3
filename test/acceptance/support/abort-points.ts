import {
  type Call,
  type Chunk,
  type ChunkStream,
  faultOf,
  type Line,
  type Outcome,
  type Policy,
  pipeline,
  type Runtime,
  type Settlement,
  sleep,
  streamFor,
  streamReply,
  whole,
} from "../../../src/core/index.ts";
import { breaker } from "../../../src/policies/breaker/index.ts";
import { deadline } from "../../../src/policies/deadline/index.ts";
import { hedge } from "../../../src/policies/hedge/index.ts";
import { pool } from "../../../src/policies/pool/index.ts";
import { rateLimit } from "../../../src/policies/rate-limit/index.ts";
import { retry } from "../../../src/policies/retry/index.ts";
import { throttle } from "../../../src/policies/throttle/index.ts";
import { timeout } from "../../../src/policies/timeout/index.ts";
import type { VirtualClock } from "../../../src/testing/virtual-clock.ts";
import { callOf, virtualRuntime } from "../../support/calls.ts";

/** A place where a call waits for something that does not come, and may be given up. */
export interface AbortPoint {
  readonly clock: VirtualClock;
  readonly line: Line;
  /** Requests so far. */
  readonly sent: () => number;
  /** Sends a call and brings it to where it waits. Resolves with its end when it is given up. */
  begin(): Promise<{ readonly call: Call; readonly end: Promise<Outcome | undefined> }>;
}

type Send = (call: Call) => Promise<Outcome>;

const chunk = (role: Chunk["role"]): Chunk => ({ role, value: role });

/** Answers only when the call is given up. */
function silent(runtime: Runtime): Send {
  return async (call) =>
    (await sleep(runtime, call, 1e9)) ?? faultOf({ kind: "unknown", error: new Error("nobody gave up") });
}

/** A stream of these chunks, whose next one never comes. */
function stalling(runtime: Runtime, ...chunks: readonly Chunk[]): Send {
  return async (call) => {
    const rest = [...chunks];
    const pull = async (): Promise<Chunk | Settlement> => {
      const next = rest.shift();
      if (next === undefined) await sleep(runtime, call, 1e9);
      return next ?? whole();
    };
    return streamReply(streamFor(call, { pull, cancel: () => undefined }));
  };
}

const limited = (): Outcome => faultOf({ kind: "rate_limited", error: new Error("429"), retryAfterMs: 300_000 });

/** Lets every promise that can settle do so. */
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

async function stage(
  policiesOf: (runtime: Runtime) => readonly Policy[],
  sendOf: (runtime: Runtime) => Send,
  options: { readonly stream?: boolean; readonly reads?: number; readonly afterMs?: number } = {},
): Promise<AbortPoint> {
  const { clock, runtime } = virtualRuntime();
  const line = pipeline(...policiesOf(runtime));
  const send = sendOf(runtime);
  let sent = 0;
  const counted: Send = (call) => {
    sent++;
    return send(call);
  };
  return {
    clock,
    line,
    sent: () => sent,
    async begin() {
      const call = callOf(runtime, counted, { stream: options.stream ?? false, inputChars: 1_600 });
      const outcome = line.execute(call);
      const end = outcome.then(async (given) => {
        if (!given.ok || given.body.kind !== "stream") return given;
        await readAll(given.body);
        return given.body.settled.value?.fault;
      });
      if (options.afterMs === undefined) await turn();
      else await clock.advance(options.afterMs);
      return { call, end };
    },
  };
}

async function readAll(stream: ChunkStream): Promise<void> {
  while ((await stream.next()) !== undefined);
}

/** A point whose line has first been brought into a state by calls of its own. */
async function prepared(point: AbortPoint, prepare: (point: AbortPoint) => Promise<void>): Promise<AbortPoint> {
  await prepare(point);
  return point;
}

const HEDGE_LEARNS = 60;

/** Every place where a call can wait, by name. */
export const ABORT_POINTS: Readonly<Record<string, () => Promise<AbortPoint>>> = {
  queue: async () =>
    prepared(
      await stage((runtime) => [pool({ concurrency: 1 }, runtime)], silent),
      async (point) => void (await point.begin()),
    ),
  "limiter wait": async () =>
    prepared(
      await stage((runtime) => [rateLimit({ requestsPerMinute: 1 }, runtime)], silent),
      async (point) => void (await point.begin()),
    ),
  throttle: async () =>
    prepared(
      await stage((runtime) => [throttle({ initial: 1, min: 1, max: 1 }, runtime)], silent),
      async (point) => void (await point.begin()),
    ),
  gate: async () => {
    let first = true;
    const point = await stage(
      (runtime) => [rateLimit({}, runtime)],
      (runtime) => {
        const wait = silent(runtime);
        return (call) => {
          if (!first) return wait(call);
          first = false;
          return Promise.resolve(limited());
        };
      },
    );
    return prepared(point, async () => void (await (await point.begin()).end));
  },
  backoff: () =>
    stage(
      (runtime) => [retry({}, runtime)],
      () => async () => limited(),
    ),
  "half-open": async () => {
    let failing = true;
    const point = await stage(
      (runtime) => [breaker({ probes: 1 }, runtime)],
      (runtime) => {
        const wait = silent(runtime);
        return (call) =>
          failing ? Promise.resolve(faultOf({ kind: "server_error", error: new Error("500") })) : wait(call);
      },
    );
    return prepared(point, async () => {
      for (let index = 0; index < 10; index++) await (await point.begin()).end;
      failing = false;
      await point.clock.advance(1_000);
    });
  },
  hedge: async () => {
    let learning = true;
    const point = await stage(
      (runtime) => [retry({}, runtime), hedge({ budget: 1, minDelay: "10ms" }, runtime)],
      (runtime) => {
        const wait = stalling(runtime, chunk("preamble"));
        return (call) =>
          learning
            ? Promise.resolve(streamReply(streamFor(call, { pull: said([chunk("content")]), cancel: () => undefined })))
            : wait(call);
      },
      { stream: true, afterMs: 20 },
    );
    return prepared(point, async () => {
      for (let index = 0; index < HEDGE_LEARNS; index++) await (await point.begin()).end;
      learning = false;
    });
  },
  stream: () =>
    stage(
      (runtime) => [
        deadline("1h", runtime),
        pool({}, runtime),
        retry({}, runtime),
        breaker({}, runtime),
        timeout({}, runtime),
      ],
      (runtime) => stalling(runtime, chunk("preamble"), chunk("content")),
      { stream: true },
    ),
};

function said(chunks: readonly Chunk[]): () => Promise<Chunk | Settlement> {
  const rest = [...chunks];
  return async () => rest.shift() ?? whole();
}
