/**
 * The adaptive limit while a provider's capacity goes from 64 to 32 and back, and then answers become three times as
 * long; in virtual time, beside re-implementations of Netflix concurrency-limits (Vegas, Gradient2, AIMD) that see the
 * whole latency of a call. Prints, for each phase, the mean limit by capacity and the throughput by that of a fixed
 * limit at capacity; then the seconds to come within 15 % after the drop, and how many calls it was refused. Worst of 5
 * seeds, 200 callers that always want one more answer.
 */
import { type Outcome, type Policy, pipeline, type Runtime } from "../../src/core/index.ts";
import { throttle } from "../../src/policies/throttle/index.ts";
import { type ServerOptions, SharingServer } from "../../test/policies/throttle/sharing-server.ts";
import { callOf, drain, virtualRuntime } from "../../test/support/calls.ts";

const SEEDS = [1, 2, 3, 4, 5];
const SETTLE_SECONDS = 30;
const WATCH_SECONDS = 90;
const PHASES: readonly { readonly capacity: number; readonly change: Partial<ServerOptions> }[] = [
  { capacity: 64, change: {} },
  { capacity: 32, change: { capacity: 32, rejectBeyond: 64 } },
  { capacity: 64, change: { capacity: 64, rejectBeyond: 128 } },
  { capacity: 64, change: { meanTokens: 600 } },
];

/** A limit that learns from the latency of whole calls. */
interface Limiter {
  limit: number;
  answered(latencyMs: number, inFlight: number, now: number): void;
  dropped(now: number): void;
}

interface Limited {
  readonly policy: Policy;
  readonly limit: () => number;
  setCapacity(capacity: number): void;
}

/** Netflix VegasLimit: initial 20, windows of at least 1 s and 10 samples, by their mean. */
function vegas(): Limiter {
  let least = Number.POSITIVE_INFINITY;
  return windowed((self, latencyMs, inFlight) => {
    if (latencyMs < least) {
      least = latencyMs;
      return;
    }
    if (2 * inFlight < self.limit) return;
    const log = Math.max(1, Math.log10(self.limit));
    const queue = Math.ceil(self.limit * (1 - least / latencyMs));
    if (queue <= log) self.limit += 6 * log;
    else if (queue < 3 * log) self.limit += log;
    else if (queue > 6 * log) self.limit -= log;
  });
}

/** Netflix Gradient2Limit: tolerance 1.5, smoothing 0.2, long window 600. */
function gradient2(): Limiter {
  let long: number | undefined;
  return windowed((self, latencyMs, inFlight) => {
    long = long === undefined ? latencyMs : long + (latencyMs - long) * (2 / 601);
    if (long / latencyMs > 2) long *= 0.95;
    if (inFlight < self.limit / 2) return;
    const gradient = Math.max(0.5, Math.min(1, (1.5 * long) / latencyMs));
    self.limit = 0.8 * self.limit + 0.2 * (gradient * self.limit + 4);
  });
}

/** Netflix AIMDLimit: back off to 0.9 on a refusal, else one more while at least half is used. */
function aimd(): Limiter {
  return {
    limit: 20,
    answered(_latencyMs, inFlight) {
      if (2 * inFlight >= this.limit) this.limit += 1;
    },
    dropped() {
      this.limit = Math.max(1, this.limit * 0.9);
    },
  };
}

function windowed(update: (self: Limiter, meanMs: number, inFlight: number) => void): Limiter {
  let from = 0;
  let count = 0;
  let sum = 0;
  return {
    limit: 20,
    answered(latencyMs, inFlight, now) {
      count++;
      sum += latencyMs;
      if (count < 10 || now - from < 1_000) return;
      update(this, sum / count, inFlight);
      this.limit = Math.min(1_000, Math.max(1, this.limit));
      from = now;
      count = 0;
      sum = 0;
    },
    dropped() {
      this.limit = Math.max(1, this.limit * 0.9);
    },
  };
}

function anchor(limiter: Limiter): (runtime: Runtime) => Limited {
  return ({ clock }) => {
    const waiting: (() => void)[] = [];
    let inFlight = 0;
    const policy: Policy = {
      name: "anchor",
      ring: "attempt",
      async handle(call, next) {
        if (inFlight >= Math.floor(limiter.limit)) await new Promise<void>((resolve) => waiting.push(resolve));
        inFlight++;
        const from = clock.now();
        const outcome = await next(call);
        const over = (fault: boolean): void => {
          if (fault) limiter.dropped(clock.now());
          else limiter.answered(clock.now() - from, inFlight, clock.now());
          inFlight--;
          for (let free = Math.floor(limiter.limit) - inFlight; free > 0; free--) waiting.shift()?.();
        };
        if (outcome.ok) outcome.settled.subscribe(({ fault }) => over(fault !== undefined));
        else over(true);
        return outcome;
      },
    };
    return { policy, limit: () => limiter.limit, setCapacity: () => {} };
  };
}

function ours(adaptive: boolean): (runtime: Runtime) => Limited {
  return (runtime) => {
    const policy = throttle(adaptive ? {} : { adaptive: false, initial: 64 }, runtime);
    return {
      policy,
      limit: () => policy.snapshot()["test/m/k"]?.limit ?? Number.NaN,
      setCapacity: (capacity) => {
        if (!adaptive) policy.update({ initial: capacity });
      },
    };
  };
}

interface PhaseResult {
  readonly limit: number;
  readonly tokens: number;
  readonly refused: number;
  readonly nearAfter: number;
}

async function run(seed: number, stream: boolean, noise: number, build: (runtime: Runtime) => Limited) {
  const { clock, runtime } = virtualRuntime(seed);
  const provider = new SharingServer(runtime, { capacity: 64, speed: 50, meanTokens: 200, noise, rejectBeyond: 128 });
  const limited = build(runtime);
  const line = pipeline(limited.policy);
  const caller = async (): Promise<never> => {
    for (;;) {
      const outcome: Outcome = await line.execute(callOf(runtime, provider.send, { stream }));
      if (outcome.ok && outcome.body.kind === "stream") await drain(outcome.body);
      if (!outcome.ok) await new Promise<void>((resolve) => void clock.timer(500, resolve));
    }
  };
  for (let index = 0; index < 200; index++) void caller();
  const results: PhaseResult[] = [];
  for (const { capacity, change } of PHASES) {
    const { rejected } = provider;
    provider.change(change);
    limited.setCapacity(capacity);
    const limits: number[] = [];
    let tokens = 0;
    for (let second = 0; second < SETTLE_SECONDS + WATCH_SECONDS; second++) {
      if (second === SETTLE_SECONDS) tokens = provider.tokensOut;
      await clock.advance(1_000);
      limits.push(limited.limit());
    }
    const near = limits.findIndex((_, at) => mean(limits.slice(at, at + 5)) <= 1.15 * capacity);
    results.push({
      limit: mean(limits.slice(SETTLE_SECONDS)) / capacity,
      tokens: provider.tokensOut - tokens,
      refused: provider.rejected - rejected,
      nearAfter: near === -1 ? Number.POSITIVE_INFINITY : near,
    });
  }
  return results;
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

const CANDIDATES: Readonly<Record<string, () => (runtime: Runtime) => Limited>> = {
  "Breakwater throttle": () => ours(true),
  "Vegas, whole latency": () => anchor(vegas()),
  "Gradient2, whole latency": () => anchor(gradient2()),
  "AIMD on refusals": () => anchor(aimd()),
};

for (const { stream, noise } of [
  { stream: true, noise: 0.2 },
  { stream: false, noise: 0.2 },
  { stream: true, noise: 0.5 },
]) {
  console.log(`\n${stream ? "streams" : "whole replies"}, speed of single calls +-${100 * noise} %`);
  console.log(
    `${"".padEnd(26)}${["C=64", "C=32", "C=64", "3x longer"].map((name) => name.padEnd(22)).join("")}near  refused`,
  );
  const fixed = new Map<number, PhaseResult[]>();
  for (const seed of SEEDS) fixed.set(seed, await run(seed, stream, noise, ours(false)));
  for (const [name, build] of Object.entries(CANDIDATES)) {
    const runs: { readonly seed: number; readonly phases: PhaseResult[] }[] = [];
    for (const seed of SEEDS) runs.push({ seed, phases: await run(seed, stream, noise, build()) });
    const cells = PHASES.map((_, phase) => {
      const limits = runs.map(({ phases }) => phases[phase]?.limit ?? Number.NaN);
      const shares = runs.map(
        ({ seed, phases }) => (phases[phase]?.tokens ?? 0) / (fixed.get(seed)?.[phase]?.tokens ?? 1),
      );
      return `${Math.min(...limits).toFixed(2)}-${Math.max(...limits).toFixed(2)} (x${Math.min(...shares).toFixed(2)})`;
    });
    const near = Math.max(...runs.map(({ phases }) => phases[1]?.nearAfter ?? Number.NaN));
    const refused = Math.max(...runs.map(({ phases }) => phases[1]?.refused ?? Number.NaN));
    const nearText = Number.isFinite(near) ? `${near} s` : "never";
    console.log(`${name.padEnd(26)}${cells.map((cell) => cell.padEnd(22)).join("")}${nearText.padEnd(6)}${refused}`);
  }
}
