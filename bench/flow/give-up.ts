/**
 * What becomes of a call that is given up while it waits: how long until its caller is answered, and how many requests are
 * sent for it afterwards; in the pause before a retry, and in the queue of a full pool. Virtual time.
 * Run with: node --expose-gc bench/flow/give-up.ts
 */
import Bottleneck from "bottleneck";
import { bulkhead, retry as cockatielRetry, ExponentialBackoff, handleAll } from "cockatiel";
import OpenAI from "openai";
import PQueue from "p-queue";
import { createFetch } from "../../src/clients/index.ts";
import { Cancellation, faultOf, type Policy, pipeline, valueReply, whole } from "../../src/core/index.ts";
import { pool } from "../../src/policies/pool/index.ts";
import { retry } from "../../src/policies/retry/index.ts";
import { callOf, virtualRuntime } from "../../test/support/calls.ts";
import { inVirtualTime } from "./virtual-globals.ts";

const CALL_MS = 10_000;
const LEAVES_AFTER_MS = 50;

interface World {
  readonly virtual: ReturnType<typeof virtualRuntime>;
  /** One request: fails at once, or is answered after ten seconds. */
  readonly send: () => Promise<void>;
}

/** Begins a call that `signal` gives up. */
type Ask = (signal: AbortSignal) => Promise<unknown>;
type Build = (world: World) => Ask;

const line =
  (policyOf: (world: World) => Policy): Build =>
  (world) => {
    const { runtime } = world.virtual;
    const policies = pipeline(policyOf(world));
    const send = () =>
      world.send().then(
        () => valueReply("hi", whole()),
        (error: unknown) => faultOf({ kind: "server_error", error }),
      );
    return (signal) => {
      const cancellation = new Cancellation();
      signal.addEventListener("abort", () => cancellation.cancel(signal.reason));
      return policies.execute(callOf(runtime, send, { cancellation }));
    };
  };

const PAUSES: Readonly<Record<string, Build>> = {
  "retry()": line(({ virtual }) => retry({ baseDelay: "2s" }, virtual.runtime)),
  "openai SDK": ({ virtual, send }) => {
    const fetch = async (): Promise<Response> => {
      await send().catch(() => {});
      return Response.json({ error: { message: "no" } }, { status: 500 });
    };
    const client = new OpenAI({ apiKey: "k", maxRetries: 3, fetch: createFetch(pipeline(), { fetch }) });
    void virtual;
    return (signal) => client.chat.completions.create({ model: "m", messages: [] }, { signal });
  },
  "cockatiel retry": ({ send }) => {
    const policy = cockatielRetry(handleAll, {
      maxAttempts: 3,
      backoff: new ExponentialBackoff({ initialDelay: 500, maxDelay: 2_000 }),
    });
    return (signal) => policy.execute(send, signal);
  },
};

const QUEUES: Readonly<Record<string, Build>> = {
  "pool()": line(({ virtual }) => pool({ concurrency: 1 }, virtual.runtime)),
  "cockatiel bulkhead": ({ send }) => {
    const policy = bulkhead(1, 10);
    return (signal) => policy.execute(send, signal);
  },
  "p-queue": ({ send }) => {
    const queue = new PQueue({ concurrency: 1 });
    return (signal) => queue.add(send, { signal });
  },
  "Bottleneck (takes no signal)": ({ send }) => {
    const limiter = new Bottleneck({ maxConcurrent: 1 });
    return () => limiter.schedule(send);
  },
};

async function givenUp(build: Build, where: "pause" | "queue"): Promise<string> {
  const virtual = virtualRuntime();
  const { clock } = virtual;
  return inVirtualTime(clock, async () => {
    let sent = 0;
    const ask = build({
      virtual,
      send: async () => {
        sent++;
        if (where === "pause") throw new Error("500");
        await new Promise<void>((resolve) => void clock.timer(CALL_MS, resolve));
      },
    });
    const first = where === "queue" ? ask(new AbortController().signal) : undefined;
    await clock.advance(1);
    const controller = new AbortController();
    let endedAt: number | undefined;
    const call = ask(controller.signal)
      .catch(() => {})
      .then(() => {
        endedAt = clock.now();
      });
    await clock.advance(LEAVES_AFTER_MS);
    const [leftAt, sentBefore] = [clock.now(), sent];
    controller.abort(new Error("left"));
    await clock.advance(10 * CALL_MS);
    await Promise.all([first, call]);
    return `${((endedAt ?? Number.NaN) - leftAt).toFixed(0).padStart(7)} ms, ${sent - sentBefore} more sent`;
  });
}

for (const [where, builds] of [
  ["pause", PAUSES],
  ["queue", QUEUES],
] as const) {
  console.log(`\ngiven up in a ${where}`);
  for (const [name, build] of Object.entries(builds)) console.log(`${name.padEnd(30)}${await givenUp(build, where)}`);
}
