/** The simulated provider in a process of its own, so that it does not share a core with the clients it serves. */
import { type ProviderModelOptions, startSimulatedProvider } from "../src/testing/index.ts";
import type { ProviderSummary } from "./provider.ts";

interface Start {
  readonly options: Omit<ProviderModelOptions, "clock" | "faults">;
  /** When the provider has no capacity, milliseconds after its start. */
  readonly outage: { readonly from: number; readonly to: number };
  readonly outageEveryMs: number | undefined;
}

const SECOND_MS = 1000;

process.once("message", async ({ options, outage, outageEveryMs = Number.POSITIVE_INFINITY }: Start) => {
  const { url, provider, close } = await startSimulatedProvider({
    ...options,
    logSize: 100_000,
    faults: ({ at, chance, path }) => {
      if (!path.endsWith("/chat/completions")) return undefined;
      const phase = at % outageEveryMs;
      if (phase >= outage.from && phase < outage.to) return { kind: "overloaded", status: 503, hint: "none" };
      if (chance < 0.01) return { kind: "status", status: 500 };
      if (chance < 0.02) return { kind: "cut", afterChunks: 0 };
      if (chance < 0.03) return { kind: "slowStart", factor: 10 };
      return undefined;
    },
  });
  process.on("message", (message) => {
    if (message === "stats") process.send?.(summary());
    if (message === "close") void close().then(() => process.exit(0));
  });
  // The parent is gone: nobody else would end this process.
  process.on("disconnect", () => process.exit(0));
  process.send?.({ url });

  function summary(): ProviderSummary {
    const stats = provider.stats();
    const perSecond: number[] = [];
    let promptTokens = 0;
    let outputTokens = 0;
    for (const entry of provider.log) {
      if (entry.admitted) {
        promptTokens += entry.promptTokens;
        outputTokens += entry.outputTokens;
      }
      if (entry.status !== 429) continue;
      const second = Math.floor(entry.at / SECOND_MS);
      perSecond[second] = (perSecond[second] ?? 0) + 1;
    }
    return {
      requests: stats.requests,
      rateLimited: stats.rateLimited,
      serverErrors: Object.entries(stats.byStatus).reduce(
        (sum, [status, n]) => sum + (Number(status) >= 500 ? n : 0),
        0,
      ),
      promptTokens,
      outputTokens,
      rateLimitedPerSecond: Array.from(perSecond, (count) => count ?? 0),
    };
  }
});

// Ctrl-C reaches the whole group; the parent says when to close.
process.on("SIGINT", () => {});
