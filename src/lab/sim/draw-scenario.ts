import type { PriorityName, Scope } from "../../core/index.ts";
import { targetOf } from "../../index.ts";
import { PROFILE_NAMES } from "../../profiles.ts";
import { memory } from "../../stores/index.ts";
import type { FaultSpec } from "../../testing/index.ts";
import { Dice } from "./dice.ts";
import type {
  Action,
  AskAction,
  FunctionWork,
  Scenario,
  SimulatedOptimizer,
  SimulatedProviderOptions,
} from "./scenario.ts";

/** What the user has settled; the rest is drawn. */
export interface GivenParts {
  readonly optimizer?: SimulatedOptimizer | undefined;
  readonly provider?: SimulatedProviderOptions | undefined;
  readonly traffic?: TrafficOptions | undefined;
  readonly faultRate?: number | undefined;
  readonly steps: number;
}

/** Who asks what. What is not given is drawn from the seed. */
export interface TrafficOptions {
  /** Mean calls a second. */
  readonly perSecond?: number | undefined;
  /** How many different questions there are. */
  readonly questions?: number | undefined;
  readonly models?: readonly string[] | undefined;
  /** `scope.client` of the callers. */
  readonly clients?: readonly string[] | undefined;
  /** Shares from 0 to 1. */
  readonly streams?: number | undefined;
  readonly aborts?: number | undefined;
  /** Share of the calls that are functions instead of requests to the provider. */
  readonly functions?: number | undefined;
}

/** Where calls may go that fail at their own model. */
export const FALLBACK_MODEL = "m3";

const PRIORITIES: readonly PriorityName[] = ["critical", "high", "normal", "low", "background"];
const TAGS = ["faq", "news"];
// Times are multiples of it, so that much falls on the same instant and its order is up to chance.
const TICK_MS = 10;

/** What may go wrong with one request, and for a while with all. */
export const FAULTS: readonly FaultSpec[] = [
  "refused",
  "reset",
  { kind: "reset", afterChunks: 1 },
  { kind: "silent", at: "head" },
  { kind: "silent", at: "body" },
  { kind: "rateLimited", wait: 300, hint: "milliseconds" },
  { kind: "rateLimited", wait: 1000, hint: "seconds" },
  { kind: "rateLimited", hint: "none" },
  { kind: "overloaded", status: 529 },
  "overloaded",
  { kind: "status", status: 500 },
  { kind: "status", status: 400 },
  { kind: "slowStart", factor: 20 },
  { kind: "slowTokens", factor: 20 },
  { kind: "keepaliveOnly", every: 100 },
  "errorBeforeContent",
  "badJson",
  { kind: "cut", afterChunks: 0 },
  { kind: "cut", afterChunks: 2 },
  { kind: "cutWithError", afterChunks: 2 },
  { kind: "malformedEvent", afterChunks: 1 },
  "contentFilter",
  "lengthFinish",
  "wrongContentType",
  "badCredential",
  "quotaExhausted",
];

/** A scenario of the seed: what is not given is drawn. */
export function drawScenario(seed: number, given: GivenParts): Scenario {
  const dice = new Dice(seed);
  // Drawn even where it is given, so that giving one part leaves the others as they were.
  const optimizer = drawOptimizer(dice);
  const provider = drawProvider(dice);
  const faultRate = dice.one([0, 0.05, 0.2, 0.5]);
  return {
    seed,
    optimizer: given.optimizer ?? optimizer,
    provider: given.provider ?? provider,
    faultRate: given.faultRate ?? faultRate,
    actions: drawActions(dice, given),
  };
}

function drawOptimizer(dice: Dice): SimulatedOptimizer {
  const off = 0.15;
  const ms = (min: number, max: number): number => TICK_MS * dice.whole(min, max);
  return {
    pool: !dice.chance(off) && {
      concurrency: dice.whole(1, 8),
      maxQueue: dice.one([0, 2, 10, 50, 50]),
      ageing: dice.one([false, ms(10, 100)]),
      newestFirstAfter: dice.one([false, false, ms(10, 100)]),
      ...dice.maybe(0.2, () => ({ partitions: { batch: { share: 0.4 } } })),
    },
    rateLimit: !dice.chance(off) && {
      ...dice.maybe(0.6, () => ({ requestsPerMinute: dice.one([20, 300, 1200, 6000]) })),
      ...dice.maybe(0.3, () => ({ tokensPerMinute: dice.one([500, 5000, 50_000]) })),
      ...dice.maybe(0.2, () => ({ perClient: { requestsPerMinute: dice.one([10, 100, 1000]) } })),
      ...dice.maybe(0.2, () => ({ perModel: { requestsPerMinute: dice.one([10, 100, 500]) } })),
      burst: dice.one([1, 1000, 1000, 10_000, 60_000]),
      exact: dice.chance(0.3),
      learn: dice.chance(0.8),
      maxQueue: dice.one([0, 5, 1000, 1000, 1000, 1000]),
    },
    throttle: !dice.chance(off) && {
      initial: dice.whole(1, 6),
      min: 1,
      max: dice.whole(6, 20),
      adaptive: dice.chance(0.8),
      clientThrottling: dice.chance(0.2) && { k: dice.one([1, 2]), window: ms(100, 1000) },
      conditions: dice.chance(0.15) && { memory: 0.9, loopDelay: 50, every: ms(5, 100) },
    },
    breaker: !dice.chance(off) && {
      failureRate: dice.one([0.2, 0.5, 1]),
      window: ms(20, 500),
      minimumCalls: dice.whole(1, 6),
      halfOpenAfter: ms(5, 100),
      maxOpen: ms(100, 300),
      probes: dice.whole(1, 3),
      probeTimeout: ms(20, 200),
      ramp: ms(0, 100),
      ...dice.maybe(0.2, () => ({ consecutiveFailures: dice.whole(2, 4) })),
      ...dice.maybe(0.2, () => ({ slowCallDuration: ms(10, 100), slowCallRate: dice.one([0.5, 1]) })),
    },
    retry: !dice.chance(off) && {
      attempts: dice.whole(1, 5),
      baseDelay: ms(0, 20),
      maxDelay: ms(20, 100),
      commit: dice.one(["firstContent", "firstContent", { tokens: 3 }, "complete"] as const),
      afterCommit: dice.one(["error", "error", "restart"] as const),
      budget: dice.one([false, { capacity: dice.whole(1, 10), refillPerSuccess: dice.one([0, 0.1, 1]) }]),
    },
    timeout: {
      total: ms(100, 3000),
      attempt: ms(50, 800),
      firstToken: dice.one([false, ms(20, 200)]),
      idle: dice.one([false, ms(10, 100)]),
      ...dice.maybe(0.2, () => ({ minTokensPerSecond: dice.whole(1, 20), speedWindow: 1000 })),
    },
    cache: !dice.chance(0.3) && {
      ttl: ms(10, 500),
      staleWhileRevalidate: dice.one([0, ms(10, 200)]),
      staleIfError: dice.one([0, ms(10, 200)]),
      earlyRefresh: dice.one([0, 1]),
      negativeTtl: dice.one([0, ms(10, 100)]),
      variants: dice.one([1, 1, 3]),
      shared: dice.chance(0.3),
      tiers: [memory({ maxEntries: dice.one([2, 1000]) })],
    },
    coalesce: !dice.chance(0.3),
    hedge: dice.chance(0.2) && { quantile: 0.5, minDelay: ms(1, 20), budget: dice.one([0.1, 1]) },
    fallback: dice.chance(0.25) && {
      targets: [targetOf({ model: FALLBACK_MODEL })],
      strategy: dice.one(["ordered", "weighted", "least-loaded"]),
      maxWait: ms(0, 100),
      probeEvery: ms(5, 100),
      returnOver: ms(0, 100),
    },
    budget: dice.chance(0.2) && {
      dollarsPerDay: dice.one([0.0001, 0.01]),
      prices: { m1: { input: 1, output: 2 }, m2: { input: 10, output: 20 } },
      unknownPrice: dice.one(["allow", "allow", "refuse"]),
    },
    monitor: dice.chance(0.1),
  };
}

function drawProvider(dice: Dice): SimulatedProviderOptions {
  const spread = dice.chance(0.5);
  return {
    latency: {
      firstToken: TICK_MS * dice.whole(0, 30),
      firstTokenSigma: spread ? 1 : 0,
      perToken: TICK_MS * dice.whole(0, 3),
      perTokenSigma: spread ? 0.5 : 0,
      perInputToken: 0,
    },
    outputTokens: dice.one([1, 3, 6]),
    ...dice.maybe(0.4, () => ({ requestsPerMinute: dice.one([30, 300, 3000]) })),
    ...dice.maybe(0.2, () => ({ tokensPerMinute: dice.one([500, 5000, 50_000]) })),
    ...dice.maybe(0.2, () => ({ concurrency: dice.whole(1, 6) })),
    ...dice.maybe(0.2, () => ({ decodeCapacity: dice.whole(1, 4) })),
    burst: dice.one([1000, 60_000]),
    concurrencyStatus: dice.one([429, 503]),
    rateLimitHeaders: dice.chance(0.7),
    settle: dice.chance(0.5),
  };
}

function drawActions(dice: Dice, { steps, traffic = {} }: GivenParts): Action[] {
  const perSecond = traffic.perSecond ?? dice.one([2, 5, 20, 100]);
  const questions = traffic.questions ?? dice.one([1, 3, 8, 1000]);
  const actions: Action[] = [];
  let at = 0;
  for (let index = 0; index < steps; index++) {
    if (dice.chance(0.7)) at += TICK_MS * Math.round((-Math.log(1 - dice.random()) * 1000) / perSecond / 0.7 / TICK_MS);
    actions.push(dice.chance(0.88) ? drawAsk(dice, at, questions, traffic) : drawIntervention(dice, at, index));
  }
  if (dice.chance(0.2)) actions.push({ kind: "close", at: TICK_MS * dice.whole(0, at / TICK_MS) });
  return actions;
}

function drawAsk(dice: Dice, at: number, questions: number, traffic: TrafficOptions): AskAction {
  const ms = (max: number): number => TICK_MS * dice.whole(0, max);
  const via = dice.chance(traffic.functions ?? 0.25) ? "function" : "fetch";
  const stream = dice.chance(traffic.streams ?? 0.5);
  return {
    kind: "ask",
    at,
    via,
    question: dice.whole(1, questions),
    model: dice.one(traffic.models ?? ["m1", "m1", "m2"]),
    stream,
    scope: drawScope(dice, traffic.clients ?? ["ann", "bob", "cay"]),
    ...dice.maybe(traffic.aborts ?? 0.2, () => ({ abortAfter: ms(60) })),
    ...(stream ? dice.maybe(0.1, () => ({ leaveAfter: dice.whole(0, 3) })) : {}),
    ...(stream ? dice.maybe(0.2, () => ({ readEvery: ms(30) })) : {}),
    ...(stream ? dice.maybe(0.3, () => ({ takesBack: true })) : {}),
    work: drawWork(dice),
  };
}

function drawWork(dice: Dice): FunctionWork {
  return {
    takes: TICK_MS * dice.whole(0, 20),
    items: dice.whole(1, 4),
    failures: dice.one([0, 0, 0, 1, 2, 9]),
    failsAfter: dice.whole(0, 2),
    deaf: dice.chance(0.2),
  };
}

function drawScope(dice: Dice, clients: readonly string[]): Scope {
  return {
    ...dice.maybe(0.5, () => ({ priority: dice.one(PRIORITIES) })),
    ...(clients.length > 0 ? dice.maybe(0.5, () => ({ client: dice.one(clients) })) : {}),
    ...dice.maybe(0.2, () => ({ deadline: TICK_MS * dice.whole(1, 300) })),
    ...dice.maybe(0.3, () => ({ tags: [dice.one(TAGS)] })),
    ...dice.maybe(0.1, () => ({ cache: dice.one(["refresh", "no-store", "only-if-cached"] as const) })),
    ...dice.maybe(0.1, () => ({ partition: "batch" })),
  };
}

function drawIntervention(dice: Dice, at: number, index: number): Action {
  const kind = dice.one(["tune", "invalidate", "limits", "fault", "fault", "job"] as const);
  switch (kind) {
    case "tune":
      return { kind, at, profile: dice.one(PROFILE_NAMES) };
    case "invalidate":
      return { kind, at, tag: dice.one([undefined, ...TAGS]) };
    case "limits":
      return { kind, at, limits: { requestsPerMinute: dice.one([undefined, dice.whole(5, 200)]) } };
    case "fault":
      return { kind, at, fault: dice.chance(0.4) ? undefined : dice.one(FAULTS) };
    case "job":
      return {
        kind,
        at,
        id: `job${index}`,
        takes: TICK_MS * dice.whole(0, 50),
        ...dice.maybe(0.3, () => ({ cancelAfter: TICK_MS * dice.whole(0, 50) })),
      };
  }
}
