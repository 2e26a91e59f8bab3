// What retries add to an outage and what they save of single failures: an outage of 120 s at 50 calls a second, and 5 % of
// errors, each after half a minute in which all is well, with retry alone, with a breaker, under an SDK that retries too,
// and beside that SDK and cockatiel. Virtual time.
// Run with: node --expose-gc bench/flow/outage.ts
import { retry as cockatielRetry, ExponentialBackoff, handleAll } from "cockatiel";
import OpenAI from "openai";
import { createFetch } from "../../src/clients/index.ts";
import { createRuntime, type Policy, pipeline, type Runtime } from "../../src/core/index.ts";
import { breaker } from "../../src/policies/breaker/index.ts";
import { retry } from "../../src/policies/retry/index.ts";
import {
  arrive,
  atLeast,
  atMost,
  type Figures,
  type Measured,
  overSeeds,
  printFigures,
  SEEDS,
  type Trial,
} from "./harness.ts";
import { inVirtualTime } from "./virtual-globals.ts";

/** What is good before anything fails, so that breakers have a window full of answers. */
const GOOD_MS = 30_000;
const OUTAGE_MS = 120_000;
const ERRORS_MS = 30_000;
const CALL_MS = 2_000;
const PER_SECOND = 50;
const ANSWER = JSON.stringify({
  id: "c",
  object: "chat.completion",
  created: 1,
  model: "m",
  choices: [{ index: 0, message: { role: "assistant", content: "hi" }, finish_reason: "stop" }],
});
const FAILURE = JSON.stringify({ error: { message: "The server had an error", type: "server_error", code: null } });

type Fetch = typeof globalThis.fetch;
/** Gives how a call is made by way of `fetch`. */
type Client = (fetch: Fetch, trial: Trial) => () => Promise<unknown>;

const request = { model: "m", messages: [{ role: "user" as const, content: "hello" }] };

const viaSdk =
  (maxRetries: number, around: (fetch: Fetch, trial: Trial) => Fetch): Client =>
  (fetch, trial) => {
    const client = new OpenAI({ apiKey: "k", maxRetries, fetch: around(fetch, trial) });
    return () => client.chat.completions.create(request);
  };

const withRetry = (fetch: Fetch, { clock, random }: Trial): Fetch =>
  createFetch(pipeline(retry({}, createRuntime({ clock, random }))), { fetch });

const withBreaker = (fetch: Fetch, { clock, random }: Trial): Fetch =>
  createFetch(pipeline(...guards(createRuntime({ clock, random }))), { fetch });

const guards = (runtime: Runtime): Policy[] => [retry({}, runtime), breaker({}, runtime)];

const cockatiel: Client = (fetch) => {
  const policy = cockatielRetry(handleAll, { maxAttempts: 3, backoff: new ExponentialBackoff() });
  const client = new OpenAI({ apiKey: "k", maxRetries: 0, fetch });
  return () => policy.execute(() => client.chat.completions.create(request));
};

const CLIENTS: Readonly<Record<string, Client>> = {
  "breakwater, retry alone": viaSdk(0, withRetry),
  "... and the SDK retries twice": viaSdk(2, withRetry),
  "breakwater with its breaker": viaSdk(0, withBreaker),
  "openai, 2 retries": viaSdk(2, (fetch) => fetch),
  "cockatiel, 3 retries": cockatiel,
};

async function load(
  trial: Trial,
  client: Client,
  forMs: number,
  failing: number,
): Promise<{ perCall: number; success: number }> {
  const { clock, random } = trial;
  let requests = 0;
  let isGood = true;
  const fetch: Fetch = async () => {
    requests++;
    const failed = !isGood && random() < failing;
    await new Promise<void>((resolve) => void clock.timer(CALL_MS, resolve));
    const headers = { "content-type": "application/json" };
    return new Response(failed ? FAILURE : ANSWER, { status: failed ? 500 : 200, headers });
  };
  let answered = 0;
  await inVirtualTime(clock, async () => {
    const ask = client(fetch, trial);
    const call = () =>
      ask().then(
        () => answered++,
        () => {},
      );
    await arrive(clock, { perSecond: PER_SECOND, forMs: GOOD_MS }, call);
    await clock.advance(CALL_MS);
    [requests, answered, isGood] = [0, 0, false];
    await arrive(clock, { perSecond: PER_SECOND, forMs }, call);
    await clock.advance(60_000);
  });
  const calls = (forMs / 1_000) * PER_SECOND;
  return { perCall: requests / calls, success: answered / calls };
}

const results: Record<string, Measured<Figures>> = {};
for (const [name, client] of Object.entries(CLIENTS)) {
  results[name] = await overSeeds(
    async (trial) => {
      const outage = await load(trial, client, OUTAGE_MS, 1);
      const errors = await load(trial, client, ERRORS_MS, 0.05);
      return { "requests a call, outage": outage.perCall, "answered at 5 %": errors.success };
      // The anchors decide nothing by chance in an outage.
    },
    name.startsWith("openai") || name.startsWith("cockatiel") ? [1] : SEEDS,
  );
}
printFigures("retries", results, { "requests a call, outage": atMost(1.02), "answered at 5 %": atLeast(0.9965) });
