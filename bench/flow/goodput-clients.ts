/** Clients that send an endless backlog to a provider with limits: ours, and what people use without it. */
import Bottleneck from "bottleneck";
import OpenAI from "openai";
import { createOptimizer, type OptimizerOptions, type Random } from "../../src/index.ts";
import type { VirtualClock } from "../../src/testing/index.ts";

/** What a client sends its backlog to. */
export interface Backlog {
  readonly clock: VirtualClock;
  readonly random: Random;
  readonly fetch: typeof globalThis.fetch;
  /** The next request body, of `max_tokens` and a prompt. */
  next(): {
    readonly model: string;
    readonly max_tokens: number;
    readonly messages: { role: "user"; content: string }[];
  };
  readonly over: boolean;
}

export const REQUESTS_PER_MINUTE = 600;
export const TOKENS_PER_MINUTE = 300_000;

const URL = "https://api.openai.com/v1/chat/completions";

const sleep = (clock: VirtualClock, ms: number): Promise<void> =>
  new Promise((resolve) => void clock.timer(ms, resolve));

function workers(backlog: Backlog, count: number, ask: () => Promise<unknown>): void {
  const work = async (): Promise<void> => {
    while (!backlog.over) {
      await ask().catch(() => {});
      await sleep(backlog.clock, 0);
    }
  };
  for (let index = 0; index < count; index++) void work();
}

function post(fetch: typeof globalThis.fetch, body: object): Promise<Response> {
  const headers = { "content-type": "application/json", authorization: "Bearer sk-simulated" };
  return fetch(URL, { method: "POST", headers, body: JSON.stringify(body) });
}

/** The optimizer with its defaults, told the limits of the account and how the provider counts. */
export function optimizer(backlog: Backlog, rateLimit: OptimizerOptions["rateLimit"]): void {
  const ours = createOptimizer({
    environment: {},
    clock: backlog.clock,
    random: backlog.random,
    fetch: backlog.fetch,
    cache: false,
    coalesce: false,
    ...(rateLimit !== undefined && { rateLimit }),
  });
  workers(backlog, 200, async () => (await post(ours.fetch, backlog.next())).text());
}

/** The OpenAI SDK itself, with so many workers, patient enough to get every answer. */
export function sdkBackoff(backlog: Backlog, count: number): void {
  const client = new OpenAI({ apiKey: "sk-simulated", fetch: backlog.fetch, maxRetries: 50 });
  workers(backlog, count, () => client.chat.completions.create(backlog.next()));
}

/** Each call sleeps as long as the provider says and tries again. */
export function retryAfterEach(backlog: Backlog, count: number): void {
  workers(backlog, count, async () => {
    const body = backlog.next();
    for (;;) {
      const response = await post(backlog.fetch, body);
      await response.text();
      if (response.status !== 429 || backlog.over) return;
      await sleep(backlog.clock, Number(response.headers.get("retry-after-ms") ?? 1_000));
    }
  });
}

/** As OpenAI's cookbook does it (`api_request_parallel_processor.py`), at all of the limit. */
export function cookbook(backlog: Backlog): void {
  const { clock, fetch } = backlog;
  let requests = REQUESTS_PER_MINUTE;
  let tokens = TOKENS_PER_MINUTE;
  let refilledAt = clock.now();
  let pausedUntil = 0;
  const again: { body: ReturnType<Backlog["next"]>; attemptsLeft: number }[] = [];
  const send = async (body: ReturnType<Backlog["next"]>, attemptsLeft: number): Promise<void> => {
    const response = await post(fetch, body);
    await response.text();
    if (response.status !== 429) return;
    pausedUntil = clock.now() + 15_000;
    if (attemptsLeft > 0) again.push({ body, attemptsLeft: attemptsLeft - 1 });
  };
  const loop = async (): Promise<void> => {
    let job = { body: backlog.next(), attemptsLeft: 5 };
    while (!backlog.over) {
      const passed = clock.now() - refilledAt;
      refilledAt = clock.now();
      requests = Math.min(REQUESTS_PER_MINUTE, requests + (REQUESTS_PER_MINUTE * passed) / 60_000);
      tokens = Math.min(TOKENS_PER_MINUTE, tokens + (TOKENS_PER_MINUTE * passed) / 60_000);
      const cost = Math.ceil((job.body.messages[0]?.content.length ?? 0) / 4) + job.body.max_tokens;
      if (requests >= 1 && tokens >= cost && clock.now() >= pausedUntil) {
        requests -= 1;
        tokens -= cost;
        void send(job.body, job.attemptsLeft);
        job = again.shift() ?? { body: backlog.next(), attemptsLeft: 5 };
      }
      await sleep(clock, 5);
    }
  };
  void loop();
}

/** The adaptive mode of the AWS SDKs: `DefaultRateLimiter` of `@smithy/util-retry` 4, three attempts a call. */
export function awsAdaptive(backlog: Backlog, count: number): void {
  const { clock, fetch } = backlog;
  const state = { rate: 0, enabled: false, capacity: 0, tokens: 0, filledAt: 0, measured: 0, since: 0, responses: 0 };
  let [peak, refusedAt, plateau] = [0, 0, 0];
  const seconds = (): number => clock.now() / 1_000;
  const fill = (): void => {
    state.tokens = Math.min(state.capacity, state.tokens + (seconds() - state.filledAt) * state.rate);
    state.filledAt = seconds();
  };
  const acquire = async (): Promise<void> => {
    if (!state.enabled) return;
    fill();
    const missing = 1 - state.tokens;
    state.tokens -= 1;
    if (missing > 0) await sleep(clock, (missing / state.rate) * 1_000);
  };
  const update = (refused: boolean): void => {
    state.responses++;
    const bucket = Math.floor(seconds() * 2) / 2;
    if (bucket > state.since) {
      state.measured = (state.responses / (bucket - state.since)) * 0.8 + state.measured * 0.2;
      state.responses = 0;
      state.since = bucket;
    }
    let rate: number;
    if (refused) {
      peak = state.enabled ? Math.min(state.measured, state.rate) : state.measured;
      plateau = Math.cbrt((peak * 0.3) / 0.4);
      refusedAt = seconds();
      rate = peak * 0.7;
      state.enabled = true;
    } else {
      plateau = Math.cbrt((peak * 0.3) / 0.4);
      rate = 0.4 * (seconds() - refusedAt - plateau) ** 3 + peak;
    }
    fill();
    state.rate = Math.max(0.5, Math.min(rate, 2 * state.measured));
    state.capacity = Math.max(1, state.rate);
    state.tokens = Math.min(state.tokens, state.capacity);
  };
  workers(backlog, count, async () => {
    const body = backlog.next();
    for (let attempt = 0; attempt < 3; attempt++) {
      await acquire();
      const response = await post(fetch, body);
      await response.text();
      update(response.status === 429);
      if (response.status !== 429) return;
      await sleep(clock, Math.min(20_000, backlog.random() * 2 ** attempt * 1_000));
    }
  });
}

/** Bottleneck itself: the limit of requests as a reservoir and a pace, refused jobs again when the provider says. */
export function bottleneck(backlog: Backlog): void {
  const limiter = new Bottleneck({
    reservoir: REQUESTS_PER_MINUTE,
    reservoirRefreshAmount: REQUESTS_PER_MINUTE,
    reservoirRefreshInterval: 60_000,
    minTime: 60_000 / REQUESTS_PER_MINUTE,
    maxConcurrent: 200,
  });
  limiter.on("failed", (error: unknown, { retryCount }) => (retryCount < 3 ? Number(error) : undefined));
  workers(backlog, 200, () =>
    limiter.schedule(async () => {
      const response = await post(backlog.fetch, backlog.next());
      await response.text();
      if (response.status === 429) throw Number(response.headers.get("retry-after-ms") ?? 1_000);
    }),
  );
}
