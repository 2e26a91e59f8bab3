import type { Kind } from "./facts.ts";
import { type Finding, type FindingKind, findingsOf, slowFunction } from "./findings.ts";
import type { Group } from "./group.ts";
import type { AdvisorSettings } from "./options.ts";
import type { Counted } from "./tally.ts";

/** What the calls of one kind came to. */
export interface KindSummary extends Kind {
  readonly calls: number;
  readonly meanMs: number;
  readonly cost: number | undefined;
  readonly inputTokens: number;
  readonly cachedInputTokens: number;
  readonly outputTokens: number;
}

/** What one kind of finding takes from the score. */
export interface ScoreReason {
  readonly kind: FindingKind;
  /** Of all calls (tokens of `prompt_order`, dollars of `expensive`, runs of `slow_function`), from 0 to 1. */
  readonly share: number;
  readonly points: number;
}

export interface AdvisorReport {
  /** How long was looked at, in milliseconds. */
  readonly observedMs: number;
  readonly calls: number;
  /** Absent without prices. */
  readonly cost: number | undefined;
  /** 0 to 100, where 100 is nothing to be found; absent with too few calls to tell. */
  readonly score: number | undefined;
  /** What was taken from it, most first. */
  readonly reasons: readonly ScoreReason[];
  /** The most to be saved first. */
  readonly findings: readonly Finding[];
  /** The heaviest kinds of calls, at most 20. */
  readonly kinds: readonly KindSummary[];
}

const MONTH_MS = 30 * 86_400_000;
// A month must not be told from a few seconds.
const OBSERVED_MS_MIN = 60_000;
const KINDS_SHOWN = 20;

/** Points for what concerns every call. */
const POINTS: Readonly<Record<FindingKind, number>> = {
  timeouts: 100,
  slow: 60,
  repeated: 60,
  retries: 60,
  expensive: 40,
  prompt_order: 40,
  slow_function: 40,
};

export function adviceOf({ groups, functions, observedMs }: Counted, settings: AdvisorSettings): AdvisorReport {
  const months = MONTH_MS / Math.max(observedMs, OBSERVED_MS_MIN);
  const all = [...groups];
  const findings: Finding[] = [];
  const shares = new Map<FindingKind, number>();
  const totals = totalsOf(all, functions);
  const note = (kind: Kind, name: string | undefined, found: ReturnType<typeof findingsOf>[number]): void => {
    const { dollars, seconds, ...rest } = found;
    const { provider, model, route, template } = kind;
    const saves = { dollars: dollars === undefined ? undefined : dollars * months, seconds: seconds * months };
    findings.push({ ...rest, provider, model, route, template, name, savesPerMonth: saves });
  };
  for (const group of all) {
    for (const found of findingsOf(group, settings)) {
      note(group, undefined, found);
      add(shares, found.kind, shareOf(found.kind, group, found, totals));
    }
  }
  for (const sums of functions) {
    const found = slowFunction(sums, settings);
    if (found === undefined) continue;
    note(NO_KIND, sums.name, found);
    add(shares, found.kind, found.affected / totals.runs);
  }
  const reasons = reasonsOf(shares);
  const worth = ({ savesPerMonth: { dollars = 0, seconds } }: Finding): number =>
    dollars + seconds * settings.secondWorth;
  return {
    observedMs,
    calls: totals.calls,
    cost: totals.priced === 0 ? undefined : totals.cost,
    score: totals.calls + totals.runs < settings.minCalls ? undefined : scoreOf(reasons),
    reasons,
    findings: findings.toSorted((a, b) => worth(b) - worth(a)),
    kinds: heaviest(all, settings.secondWorth),
  };
}

const NO_KIND: Kind = { provider: undefined, model: undefined, route: undefined, template: undefined };

interface Sums {
  readonly calls: number;
  readonly cost: number;
  readonly priced: number;
  readonly inputTokens: number;
  readonly runs: number;
}

function totalsOf(groups: readonly Group[], functions: Counted["functions"]): Sums {
  const sum = (value: (group: Group) => number): number => groups.reduce((total, group) => total + value(group), 0);
  let runs = 0;
  for (const one of functions) runs += one.runs;
  return {
    calls: sum(({ calls }) => calls),
    cost: sum(({ cost }) => cost),
    priced: sum(({ priced }) => priced),
    inputTokens: sum(({ inputTokens }) => inputTokens),
    runs,
  };
}

function shareOf(
  kind: FindingKind,
  group: Group,
  found: { affected: number; dollars: number | undefined },
  totals: Sums,
) {
  if (kind === "expensive") return (found.dollars ?? 0) / totals.cost;
  if (kind === "prompt_order") return group.reorderableTokens / totals.inputTokens;
  return found.affected / totals.calls;
}

function add(shares: Map<FindingKind, number>, kind: FindingKind, share: number): void {
  shares.set(kind, (shares.get(kind) ?? 0) + share);
}

function reasonsOf(shares: ReadonlyMap<FindingKind, number>): ScoreReason[] {
  return [...shares]
    .map(([kind, share]) => ({ kind, share, points: Math.round(POINTS[kind] * share * 10) / 10 }))
    .toSorted((a, b) => b.points - a.points);
}

function scoreOf(reasons: readonly ScoreReason[]): number {
  return Math.max(0, Math.round(100 - reasons.reduce((sum, { points }) => sum + points, 0)));
}

function heaviest(groups: readonly Group[], secondWorth: number): KindSummary[] {
  const weight = ({ cost, durationMs }: Group): number => cost + (durationMs / 1000) * secondWorth;
  return groups
    .filter(({ calls }) => calls > 0)
    .toSorted((a, b) => weight(b) - weight(a))
    .slice(0, KINDS_SHOWN)
    .map(({ provider, model, route, template, calls, durationMs, priced, cost, ...tokens }) => ({
      provider,
      model,
      route,
      template,
      calls,
      meanMs: durationMs / calls,
      cost: priced === 0 ? undefined : cost,
      inputTokens: tokens.inputTokens,
      cachedInputTokens: tokens.cachedInputTokens,
      outputTokens: tokens.outputTokens,
    }));
}
