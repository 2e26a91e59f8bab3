// Who is served under overload, in virtual time: the pool beside p-queue and cockatiel's bulkhead, five seeds each.
// Run with: node bench/flow/fairness.ts
import { BulkheadRejectedError, bulkhead } from "cockatiel";
import PQueue from "p-queue";
import { type Call, faultOf, type Next, type Outcome, type Policy, type Runtime } from "../../src/core/index.ts";
import { rateLimit } from "../../src/policies/rate-limit/index.ts";
import { throttle } from "../../src/policies/throttle/index.ts";
import { jain, percentile, runLoad, type Scheduler, type Served, waits } from "../../test/support/pool-load.ts";
import {
  alone,
  answerTimes,
  CROWD,
  ordinary,
  poolOf,
  SLOTS,
  serviceGap,
  servicePerMinute,
  tenTenants,
  URGENT,
  warm,
} from "../../test/support/pool-scenarios.ts";
import { median } from "../measure.ts";

const SEEDS = [1, 2, 3, 4, 5];
const MINUTES = 4;
const MAX_QUEUE = 1_000;

const schedulers: Readonly<Record<string, (runtime: Runtime) => Scheduler>> = {
  "p-queue": () => pQueue(),
  "cockatiel bulkhead": () => cockatiel(),
  "breakwater, pool": poolOf(MAX_QUEUE),
  "breakwater, limiter": (runtime) => {
    const policy = rateLimit({ concurrency: SLOTS, maxQueue: MAX_QUEUE }, runtime);
    return scheduler(policy, () => ({ running: policy.snapshot().running, queued: policy.snapshot().waiting }));
  },
  "breakwater, throttle": (runtime) => {
    const policy = throttle({ adaptive: false, initial: SLOTS, maxQueue: MAX_QUEUE }, runtime);
    return scheduler(policy, () => {
      const targets = Object.values(policy.snapshot());
      const sum = (of: "inFlight" | "waiting"): number => targets.reduce((all, target) => all + target[of], 0);
      return { running: sum("inFlight"), queued: sum("waiting") };
    });
  },
};

console.log(
  `3 times more calls than fit, a tenth of them urgent; ${MAX_QUEUE} may wait; worst of ${SEEDS.length} seeds`,
);
for (const [name, build] of Object.entries(schedulers)) await overload(name, build);
console.log("\n10 tenants, one with 50 times the calls, one with prompts ten times as long; worst of the seeds");
for (const [name, build] of Object.entries(schedulers)) await fairness(name, build);

async function overload(name: string, build: (runtime: Runtime) => Scheduler): Promise<void> {
  const rows = await Promise.all(
    SEEDS.map(async (seed) => {
      const unloaded = await runLoad([URGENT], build, MINUTES * 60, seed);
      const { calls } = await runLoad([URGENT, CROWD], build, MINUTES * 60, seed);
      const urgent = calls.filter(({ source }) => source === URGENT);
      const admitted = calls.filter(({ admittedAt }) => admittedAt !== undefined);
      return {
        slower: percentile(answerTimes(urgent), 0.99) / percentile(answerTimes(unloaded.calls), 0.99),
        waitMs: percentile(waits(urgent), 0.99),
        refused: urgent.filter(({ refused }) => refused).length / urgent.length,
        others: admitted.filter(({ source }) => source === CROWD).length / admitted.length,
      };
    }),
  );
  const worst = (of: (row: (typeof rows)[number]) => number): number => Math.max(...rows.map(of));
  console.log(
    `  ${name.padEnd(20)} urgent: p99 ${worst(({ slower }) => slower).toFixed(2)} x unloaded,` +
      ` wait p99 ${(worst(({ waitMs }) => waitMs) / 1_000).toFixed(2)} s,` +
      ` refused ${percent(worst(({ refused }) => refused))};` +
      ` others served ${percent(Math.min(...rows.map(({ others }) => others)))}`,
  );
}

async function fairness(name: string, build: (runtime: Runtime) => Scheduler): Promise<void> {
  const [all, few] = [tenTenants(1.5), tenTenants(0.5)];
  const rows = await Promise.all(
    SEEDS.map(async (seed) => {
      const load = await runLoad(all, build, MINUTES * 60, seed);
      const light = (await runLoad(few, build, MINUTES * 60, seed)).calls.filter(
        (call: Served) => ordinary(few).includes(call.source) && warm(call),
      );
      const own = await Promise.all(ordinary(few).map((source) => alone(source, MINUTES * 60, seed)));
      return {
        jain: Math.min(...servicePerMinute(load, all, MINUTES).map(jain)),
        gap: serviceGap(load, all),
        utilisation: load.utilisation,
        refused: light.filter(({ refused }) => refused).length / light.length,
        slower: percentile(waits(light), 0.99) / percentile(waits(own.flat()), 0.99),
      };
    }),
  );
  const most = (of: (row: (typeof rows)[number]) => number): number => Math.max(...rows.map(of));
  const least = (of: (row: (typeof rows)[number]) => number): number => Math.min(...rows.map(of));
  console.log(
    `  ${name.padEnd(20)} Jain ${least((row) => row.jain).toFixed(4)} (median ${median(rows.map((row) => row.jain)).toFixed(4)}),` +
      ` gap ${most((row) => row.gap).toFixed(1)} calls, utilisation ${least((row) => row.utilisation).toFixed(3)};` +
      ` light tenants: refused ${percent(most((row) => row.refused))}, wait p99 ${most((row) => row.slower).toFixed(2)} x alone`,
  );
}

function scheduler(policy: Policy, state: () => { readonly running: number; readonly queued: number }): Scheduler {
  return { handle: (call, next) => policy.handle(call, next), snapshot: () => ({ ...state(), concurrency: SLOTS }) };
}

/** Urgent first, always; its queue has no bound of its own. */
function pQueue(): Scheduler {
  const queue = new PQueue({ concurrency: SLOTS });
  return {
    handle(call: Call, next: Next): Promise<Outcome> {
      if (queue.size >= MAX_QUEUE) return Promise.resolve(full());
      return queue.add(() => next(call), { priority: 10 - call.scope.priority });
    },
    snapshot: () => ({ running: queue.pending, queued: queue.size, concurrency: SLOTS }),
  };
}

function cockatiel(): Scheduler {
  const policy = bulkhead(SLOTS, MAX_QUEUE);
  return {
    handle: (call, next) =>
      policy
        .execute(() => next(call))
        .catch((error: unknown) => {
          if (error instanceof BulkheadRejectedError) return full();
          throw error;
        }),
    snapshot: () => ({
      running: SLOTS - policy.executionSlots,
      queued: MAX_QUEUE - policy.queueSlots,
      concurrency: SLOTS,
    }),
  };
}

function full(): Outcome {
  return faultOf({ kind: "refused", error: new Error("full") });
}

function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`;
}
