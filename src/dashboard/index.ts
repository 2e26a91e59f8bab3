import type { Optimizer } from "../optimizer.ts";
import { chartsOf } from "./charts.ts";
import { factsOf } from "./facts.ts";
import { modelsOf } from "./models.ts";
import { Readings } from "./readings.ts";
import { labelText, RecentEvents } from "./recent.ts";
import { type DashboardSources, profilesOf, recommendationsOf } from "./sources.ts";
import { systemOf } from "./system.ts";
import { tilesOf } from "./tiles.ts";
import type { AlertView, View, ViewQuery } from "./view.ts";

export { type PageFile, pageFiles } from "./page-files.ts";
export type { DashboardSources, ProfileSource, RecommendationSource } from "./sources.ts";
export { type View, type ViewQuery, WINDOWS } from "./view.ts";

/** What the page shows, made when it is asked for; between two questions it only notes a few events. */
export interface Dashboard {
  view(query: ViewQuery): View;
  close(): void;
}

/** How long the rows of models, the costly part of a view, are good for: one slot of the monitor. */
const MODELS_TTL_MS = 5_000;

type Models = ReturnType<typeof modelsOf>;

export function createDashboard(optimizer: Optimizer, sources: DashboardSources = {}): Dashboard {
  const { monitor } = optimizer;
  const { clock } = optimizer.line.runtime;
  const recent = new RecentEvents((type, listener) => optimizer.on(type, listener), clock);
  const startedAt = monitor.report({ minutes: 60 }).from;
  const models = new Map<number, { readonly at: number; readonly value: Models }>();

  const modelsFor = (readings: Readings, priced: boolean): Models => {
    const { window } = readings.query;
    const known = models.get(window);
    if (known !== undefined && clock.now() - known.at < MODELS_TTL_MS) return known.value;
    const value = modelsOf(readings, recent, priced);
    models.set(window, { at: clock.now(), value });
    return value;
  };

  return {
    view(query) {
      const at = clock.wall();
      const readings = new Readings(monitor, query, { at, startedAt });
      const stats = monitor.stats();
      const priced = stats.costUsd !== undefined;
      const { rows, leftOut } = modelsFor(readings, priced);
      const { status, reasons, since } = optimizer.health();
      return {
        at,
        query: { window: query.window, provider: query.provider ?? null, model: query.model ?? null },
        profile: optimizer.stats().profile,
        health: { status, reasons: reasons.map(({ detail }) => detail), since },
        priced,
        facts: factsOf(readings, stats.inFlight, priced),
        tiles: tilesOf(readings, priced),
        charts: chartsOf(readings),
        models: rows,
        modelsLeftOut: leftOut,
        breakers: recent.breakers(),
        alerts: alertsOf(optimizer, recent),
        failures: recent.failures.filter((failure) => matches(failure, query)),
        slowCalls: recent.slowCalls().filter((call) => matches(call, query)),
        recommendations: recommendationsOf(sources),
        profiles: profilesOf(sources),
        system: systemOf(monitor),
      };
    },
    close: () => recent.close(),
  };
}

function alertsOf(optimizer: Optimizer, recent: RecentEvents): AlertView[] {
  const open = optimizer.monitor.alerts.list().flatMap(({ id, metric, aggregate, alerts }) =>
    alerts.map(
      (alert): AlertView => ({
        rule: id,
        level: alert.level,
        state: alert.state,
        labels: labelText(alert.labels),
        value: alert.value ?? null,
        threshold: alert.threshold ?? null,
        metric,
        aggregate,
        isQuiet: alert.state === "firing" && alert.suppressedBy !== undefined,
        since: alert.since,
      }),
    ),
  );
  const rank = ({ state, level }: AlertView): number =>
    (state === "firing" ? 0 : 3) + ["critical", "warning", "info"].indexOf(level);
  return [...open.sort((a, b) => rank(a) - rank(b)), ...recent.resolved];
}

function matches(row: { readonly provider: string; readonly model: string }, query: ViewQuery): boolean {
  return (
    (query.provider === undefined || query.provider === row.provider) &&
    (query.model === undefined || query.model === row.model)
  );
}
