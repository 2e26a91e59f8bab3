import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";

/** What the provider says it was sent and gave. */
export interface ProviderSummary {
  readonly requests: number;
  readonly rateLimited: number;
  readonly serverErrors: number;
  readonly promptTokens: number;
  readonly outputTokens: number;
  readonly rateLimitedPerSecond: readonly number[];
}

export interface RunningProvider {
  readonly url: string;
  summary(): Promise<ProviderSummary>;
  close(): Promise<void>;
}

/** What the simulated provider allows and how fast it is, all of it already compressed in time. */
export interface ProviderPlan {
  readonly requestsPerMinute: number;
  readonly tokensPerMinute: number;
  readonly outage: { readonly from: number; readonly to: number };
  /** From one outage to the next; absent: there is one. */
  readonly outageEveryMs?: number;
  readonly speed: number;
  readonly seed: number;
}

/** Starts a fresh simulated provider: the same plan gives the same provider. */
export async function startProvider(plan: ProviderPlan): Promise<RunningProvider> {
  const child = fork(join(import.meta.dirname, "provider-process.ts"));
  child.send({
    options: {
      seed: plan.seed,
      requestsPerMinute: plan.requestsPerMinute,
      tokensPerMinute: plan.tokensPerMinute,
      burst: "500ms",
      latency: { firstToken: 650 / plan.speed, perInputToken: 0.1 / plan.speed, perToken: 21 / plan.speed },
    },
    outage: plan.outage,
    outageEveryMs: plan.outageEveryMs,
  });
  const { url } = await answer<{ url: string }>(child);
  return {
    url,
    async summary() {
      child.send("stats");
      return answer<ProviderSummary>(child);
    },
    async close() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const gone = once(child, "exit");
      child.send("close");
      await gone;
    },
  };
}

async function answer<T>(child: ChildProcess): Promise<T> {
  const [message] = (await Promise.race([
    once(child, "message"),
    once(child, "exit").then(([code]) => Promise.reject(new Error(`The simulated provider ended with code ${code}.`))),
  ])) as [T];
  return message;
}
