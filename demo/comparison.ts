import type { OptimizerStats, PriorityName } from "../src/index.ts";
import type { CallResult } from "./pass.ts";
import type { ProviderSummary } from "./provider.ts";
import { type Cell, formatTable, quantile, type Row, sparkline } from "./table.ts";

const PRIORITIES: readonly PriorityName[] = ["high", "normal", "low"];

/** USD per million tokens. */
interface Price {
  readonly input: number;
  readonly output: number;
}

/** What one pass came to. */
export interface PassSummary {
  readonly name: string;
  readonly results: readonly CallResult[];
  /** As the provider saw it; absent for a real one. */
  readonly provider: ProviderSummary | undefined;
  readonly stats: OptimizerStats | undefined;
}

export function summarise(
  name: string,
  results: readonly CallResult[],
  provider: ProviderSummary | undefined,
  stats?: OptimizerStats,
): PassSummary {
  return { name, results, provider, stats };
}

/** The table that the job ends with, one column a pass. */
export function compare(passes: readonly PassSummary[], price: Price | undefined, speed: number): string {
  const row = (label: string, cell: (pass: PassSummary) => Cell): Row => [label, ...passes.map(cell)];
  const rows: Row[] = [
    row("calls", ({ results }) => results.length),
    row("answered", ({ results }) => results.filter(({ ok }) => ok).length),
    row("failed", ({ results }) => results.filter(({ ok }) => !ok).length),
    ...failureKinds(passes).map((kind) =>
      row(`  ${kind}`, ({ results }) => results.filter(({ error }) => error === kind).length),
    ),
    ...providerRows(passes, price),
    "Answered without the provider",
    ...hitRows(passes),
    `Latency of answered calls, ms (${speed} times faster than recorded)`,
    ...PRIORITIES.flatMap((priority) => latencyRows(passes, priority)),
  ];
  const peak = Math.max(1, ...passes.flatMap(({ provider: seen }) => seen?.rateLimitedPerSecond ?? []));
  const pictures = passes
    .filter(({ provider: seen }) => seen !== undefined)
    .map(({ name, provider: seen }) => `  ${name.padEnd(20)} |${sparkline(seen?.rateLimitedPerSecond ?? [], peak)}|`);
  const picture = pictures.length === 0 ? [] : ["", `429s each second (highest bar ${peak})`, ...pictures];
  return [
    formatTable(
      passes.map(({ name }) => name),
      rows,
    ),
    ...picture,
    ...conclusionOf(passes),
  ].join("\n");
}

// Only a simulated provider tells what it saw.
function providerRows(passes: readonly PassSummary[], price: Price | undefined): Row[] {
  if (passes.every(({ provider }) => provider === undefined)) return [];
  const row = (label: string, cell: (pass: PassSummary) => Cell): Row => [label, ...passes.map(cell)];
  const provider = (label: string, cell: (summary: ProviderSummary) => Cell): Row =>
    row(label, (pass) => (pass.provider === undefined ? undefined : cell(pass.provider)));
  return [
    "At the provider",
    provider("requests (attempts)", ({ requests }) => requests),
    row("attempts per call", ({ provider: seen, results }) =>
      seen === undefined ? undefined : (seen.requests / results.length).toFixed(3),
    ),
    provider("answered 429", ({ rateLimited }) => rateLimited),
    provider("answered 5xx", ({ serverErrors }) => serverErrors),
    provider("prompt tokens", ({ promptTokens }) => promptTokens),
    provider("output tokens", ({ outputTokens }) => outputTokens),
    provider("cost, USD", ({ promptTokens, outputTokens }) =>
      price === undefined ? undefined : ((promptTokens * price.input + outputTokens * price.output) / 1e6).toFixed(4),
    ),
  ];
}

/** The same in words, for a reader who skips the table. */
function conclusionOf([bare, wrapped]: readonly PassSummary[]): string[] {
  if (bare?.provider === undefined || wrapped?.provider === undefined) return [];
  const answered = ({ results }: PassSummary): number => results.filter(({ ok }) => ok).length;
  // Rounded down, so that 100 % means all.
  const share = (pass: PassSummary): string => `${Math.floor((1000 * answered(pass)) / pass.results.length) / 10} %`;
  return [
    "",
    `${share(bare)} of the calls were answered through the ${bare.name}, ${share(wrapped)} ${wrapped.name}; the provider answered ` +
      `429 to ${bare.provider.rateLimited} and ${wrapped.provider.rateLimited} requests.`,
  ];
}

function failureKinds(passes: readonly PassSummary[]): string[] {
  const kinds = new Set(passes.flatMap(({ results }) => results.flatMap(({ ok, error }) => (ok ? [] : [error]))));
  return [...kinds].sort();
}

function hitRows(passes: readonly PassSummary[]): Row[] {
  const tiers = new Set(passes.flatMap(({ stats }) => Object.keys(stats?.cacheHits ?? {})));
  return [
    ...[...tiers].map(
      (tier): Row => [
        `cache hits: ${tier}`,
        ...passes.map(({ stats }) => (stats === undefined ? undefined : (stats.cacheHits[tier] ?? 0))),
      ],
    ),
    ["shared with a call in flight", ...passes.map(({ stats }) => stats?.coalesced)],
  ];
}

function latencyRows(passes: readonly PassSummary[], priority: PriorityName): Row[] {
  const sorted = passes.map(({ results }) =>
    results
      .filter((result) => result.ok && result.priority === priority)
      .map(({ latencyMs }) => latencyMs)
      .sort((a, b) => a - b),
  );
  return [0.5, 0.95, 0.99].map((share) => [
    `${priority} p${share * 100}`,
    ...sorted.map((values) => {
      const value = quantile(values, share);
      return value === undefined ? undefined : Math.round(value);
    }),
  ]);
}
