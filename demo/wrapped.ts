/** The wrapped client with everything around it: provider, optimizer and dashboard. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import OpenAI from "openai";
import { type RunningServer, serve } from "../src/http/index.ts";
import { createOptimizer, formatReport, scoped, seededRandom, withOptimization } from "../src/index.ts";
import { watchRecommendations } from "../src/reports/index.ts";
import type { Arguments } from "./arguments.ts";
import { type PassSummary, summarise } from "./comparison.ts";
import { type Progress, runPass, type Send } from "./pass.ts";
import { type ProviderPlan, type RunningProvider, startProvider } from "./provider.ts";
import { createWorkload, type Workload } from "./workload.ts";

type Prices = Readonly<
  Record<string, { readonly input: number; readonly cachedInput: number; readonly output: number }>
>;

export const prices = JSON.parse(readFileSync(join(import.meta.dirname, "data", "prices.json"), "utf8")) as Prices;

export interface WrappedRun {
  readonly dashboard: string;
  /** Sends the workload once. */
  pass(workload: Workload, onProgress: (progress: Progress) => void): Promise<PassSummary>;
  /** Goes on with more of the same, over several models, until the signal aborts. */
  goOn(): Promise<void>;
  close(): Promise<void>;
}

export async function startWrapped(args: Arguments, plan: ProviderPlan, signal: AbortSignal): Promise<WrappedRun> {
  const provider: RunningProvider | undefined = args.baseURL === undefined ? await startProvider(plan) : undefined;
  // The limits are not told: they are learned from the provider's headers.
  const optimizer = createOptimizer({ pool: { concurrency: 256 }, monitor: { prices } });
  const recommendations = watchRecommendations(optimizer, { every: "1m" });
  const dashboard = await openDashboard(args.port, (port) => serve(optimizer, { port, recommendations }));
  const bare = new OpenAI(
    provider === undefined ? { baseURL: args.baseURL } : { apiKey: "sk-simulated", baseURL: provider.url },
  );
  const client = withOptimization(bare, optimizer);
  const target = { model: args.model, simulated: provider !== undefined };
  const send: Send = (call, body, abort) =>
    client.chat.completions.create(body, scoped({ priority: call.priority }, { signal: abort }));

  return {
    dashboard: dashboard.url,
    async pass(workload, onProgress) {
      const results = await runPass(workload.calls, target, send, onProgress, signal);
      const summary = summarise("with Breakwater", results, await provider?.summary(), optimizer.stats());
      if (provider === undefined) console.log(`\n${formatReport(optimizer.monitor.report({ minutes: 60 }))}`);
      return summary;
    },
    async goOn() {
      const random = seededRandom(args.seed);
      const models = [
        args.model,
        ...Object.keys(prices)
          .filter((model) => model !== args.model)
          .slice(0, 3),
      ];
      const spread: Send = (call, body, abort) =>
        send(call, { ...body, model: models[Math.floor(random() ** 2 * models.length)] ?? args.model }, abort);
      for (let round = 1; !signal.aborted; round++) {
        const { calls } = createWorkload(args.calls, args.speed, args.seed + round, round);
        await runPass(calls, target, spread, () => {}, signal);
      }
    },
    async close() {
      await dashboard.close();
      recommendations.close();
      await optimizer.close();
      await provider?.close();
    },
  };
}

/** On the port that is wished for, or on any where that one is taken. */
async function openDashboard(port: number, open: (port: number) => Promise<RunningServer>): Promise<RunningServer> {
  try {
    return await open(port);
  } catch (error) {
    if ((error as { code?: string }).code !== "EADDRINUSE") throw error;
    return open(0);
  }
}
