/**
 * A provider that is down for a minute under 200 calls a second, in virtual time: what it is sent meanwhile, the most in a
 * tenth of a second when it is back (20 are usual), and when nine tenths of the calls pass again; then whether failures of
 * ten minutes ago open a circuit, and whether an aborted probe closes one. Beside cockatiel's and opossum's, told the same
 * window, share and least count, and the same first wait. Run with: node --expose-gc bench/flow/breaker.ts
 */
import { circuitBreaker, handleWhen, SamplingBreaker } from "cockatiel";
import CircuitBreaker from "opossum";
import { aborted, faultOf, pipeline, valueReply, whole } from "../../src/core/index.ts";
import { type BreakerOptions, breaker } from "../../src/policies/breaker/index.ts";
import type { VirtualClock } from "../../src/testing/index.ts";
import { callOf, virtualRuntime } from "../../test/support/calls.ts";
import { arrive, atMost, type Figures, type Measured, overSeeds, printFigures } from "./harness.ts";
import { inVirtualTime } from "./virtual-globals.ts";

const PER_SECOND = 200;
const CALL_MS = 100;
const DOWN_FROM = 30_000;
const DOWN_UNTIL = 90_000;
const END = 180_000;
const USUAL = PER_SECOND / 10;
const [RATE, WINDOW_MS, LEAST, WAIT_MS] = [0.5, 30_000, 10, 5_000];

type End = "fine" | "failed" | "aborted";
/** Resolves to whether the call was answered; `send` is called when it passes. */
type Guard = (send: () => Promise<End>) => Promise<boolean>;
type Build = (virtual: ReturnType<typeof virtualRuntime>) => Guard;

class Failed extends Error {}
class Aborted extends Error {}

async function thrown(send: () => Promise<End>): Promise<void> {
  const end = await send();
  if (end === "failed") throw new Failed();
  if (end === "aborted") throw new Aborted();
}

const settled = (work: Promise<unknown>): Promise<boolean> =>
  work.then(
    () => true,
    () => false,
  );

const ours =
  (more: BreakerOptions = {}): Build =>
  ({ runtime }) => {
    const options = { failureRate: RATE, window: WINDOW_MS, minimumCalls: LEAST, halfOpenAfter: WAIT_MS, ...more };
    const line = pipeline(breaker(options, runtime));
    const outcomes = {
      fine: () => valueReply("hi", whole()),
      failed: () => faultOf({ kind: "server_error", error: new Failed() }),
      aborted: () => aborted("left"),
    };
    return async (send) => (await line.execute(callOf(runtime, async () => outcomes[await send()]()))).ok;
  };

const CANDIDATES: Readonly<Record<string, Build>> = {
  "breaker()": ours(),
  "... consecutiveFailures: 50": ours({ consecutiveFailures: 50 }),
  cockatiel: () => {
    const policy = circuitBreaker(
      handleWhen((error) => error instanceof Failed),
      {
        halfOpenAfter: WAIT_MS,
        breaker: new SamplingBreaker({
          threshold: RATE,
          duration: WINDOW_MS,
          minimumRps: LEAST / (WINDOW_MS / 1_000),
        }),
      },
    );
    return (send) => settled(policy.execute(() => thrown(send)));
  },
  opossum: () => {
    const circuit = new CircuitBreaker(thrown, {
      timeout: false,
      resetTimeout: WAIT_MS,
      errorThresholdPercentage: RATE * 100,
      rollingCountTimeout: WINDOW_MS,
      volumeThreshold: LEAST,
      errorFilter: (error: unknown) => error instanceof Aborted,
    });
    return (send) => settled(circuit.fire(send));
  },
};

async function outage(build: Build, seed: number): Promise<Figures> {
  const virtual = virtualRuntime(seed);
  const { clock, runtime } = virtual;
  const sent: number[] = [];
  const passed: number[] = [];
  await inVirtualTime(clock, async () => {
    const guard = build(virtual);
    const send = async (): Promise<End> => {
      const at = clock.now();
      sent.push(at);
      await pass(clock, CALL_MS);
      return at >= DOWN_FROM && at < DOWN_UNTIL ? "failed" : "fine";
    };
    await arrive(clock, { perSecond: PER_SECOND, forMs: END, random: runtime.random }, async () => {
      const at = clock.now();
      if (await guard(send)) passed.push(at);
    });
    await clock.advance(1_000);
  });
  const within = (times: readonly number[], from: number, ms: number): number =>
    times.filter((at) => at >= from && at < from + ms).length;
  let burst = 0;
  for (let from = DOWN_UNTIL; from < DOWN_UNTIL + 20_000; from += 10) burst = Math.max(burst, within(sent, from, 100));
  let back = DOWN_UNTIL;
  while (back < END && within(passed, back, 1_000) < 0.9 * PER_SECOND) back += 1_000;
  return {
    "sent while down": within(sent, DOWN_FROM, DOWN_UNTIL - DOWN_FROM),
    "most in 0.1 s": burst / USUAL,
    "back, s": (back - DOWN_UNTIL) / 1_000,
  };
}

/** Six failures, ten idle minutes, four more: 1 when a call after that is refused. */
async function oldFailures(build: Build): Promise<number> {
  const virtual = virtualRuntime();
  return inVirtualTime(virtual.clock, async () => {
    const guard = build(virtual);
    for (let n = 0; n < 6; n++) await guard(async () => "failed");
    await virtual.clock.advance(600_000);
    for (let n = 0; n < 4; n++) await guard(async () => "failed");
    return (await guard(async () => "fine")) ? 0 : 1;
  });
}

/** An open circuit whose probes are aborted by their callers: 1 when eight calls at once then pass. */
async function abortedProbes(build: Build): Promise<number> {
  const virtual = virtualRuntime();
  const { clock } = virtual;
  return inVirtualTime(clock, async () => {
    const guard = build(virtual);
    for (let n = 0; n < 20; n++) await guard(async () => "failed");
    await clock.advance(WAIT_MS);
    for (let n = 0; n < 3; n++) await guard(async () => "aborted");
    const calls = Array.from({ length: 8 }, () => guard(() => pass(clock, CALL_MS).then(() => "fine" as const)));
    await clock.advance(CALL_MS);
    return (await Promise.all(calls)).every((answered) => answered) ? 1 : 0;
  });
}

function pass(clock: VirtualClock, ms: number): Promise<void> {
  return new Promise((resolve) => void clock.timer(ms, resolve));
}

const results: Record<string, Measured<Figures>> = {};
for (const [name, build] of Object.entries(CANDIDATES)) {
  results[name] = await overSeeds(async ({ seed }) => ({
    ...(await outage(build, seed)),
    "old failures open": await oldFailures(build),
    "aborts close": await abortedProbes(build),
  }));
}
printFigures("a minute's outage under 200 calls a second", results, {
  "old failures open": atMost(0),
  "aborts close": atMost(0),
});
