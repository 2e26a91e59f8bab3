import type { Runtime } from "../core/index.ts";
import type { Alerts } from "./alerts/index.ts";
import { DEFINITIONS } from "./definitions.ts";
import type { Registry } from "./registry.ts";

const CERTAINTIES = ["exact", "atLeast", "estimated"] as const;

/** Feeds the metrics of the monitor itself, of alerts and of the ledger. Gives back how to stop. */
export function recordOwn(
  { clock, events, ledger }: Runtime,
  registry: Registry,
  rules: Pick<Alerts, "list">,
): readonly (() => void)[] {
  const alerts = registry.counter(DEFINITIONS.alerts);
  const notifications = registry.counter(DEFINITIONS.alertNotifications);
  const exportFailures = registry.counter(DEFINITIONS.monitorExportFailures);
  const handlerErrors = registry.counter(DEFINITIONS.monitorHandlerErrors);
  return [
    events.on("alert", ({ rule, level, state }) => {
      alerts.series({ rule, level, state }).add(1, clock.now());
    }),
    events.on("alert.notified", ({ handler }) => {
      notifications.series({ handler, result: "delivered" }).add(1, clock.now());
    }),
    events.on("alert.handler_failed", ({ handler }) => {
      notifications.series({ handler, result: "failed" }).add(1, clock.now());
      handlerErrors.series({ kind: "alert" }).add(1, clock.now());
    }),
    events.on("exporter.failed", ({ exporter }) => {
      exportFailures.series({ exporter }).add(1, clock.now());
    }),
    events.on("listener.failed", () => {
      handlerErrors.series({ kind: "listener" }).add(1, clock.now());
    }),
    observeFiring(registry, rules),
    observeSize(registry),
    observeLedger(ledger, registry),
  ];
}

function observeFiring(registry: Registry, rules: Pick<Alerts, "list">): () => void {
  const firing = registry.gauge(DEFINITIONS.alertsFiring);
  return registry.observed([DEFINITIONS.alertsFiring.name], (now) => {
    const counts = new Map([...firing].map((series) => [series, 0]));
    for (const { id: rule, alerts } of rules.list()) {
      for (const { level, state } of alerts) {
        if (state === "pending") continue;
        const series = firing.series({ rule, level });
        counts.set(series, (counts.get(series) ?? 0) + 1);
      }
    }
    for (const [series, count] of counts) series.set(count, now);
  });
}

function observeSize(registry: Registry): () => void {
  const sizes = registry.gauge(DEFINITIONS.monitorSeries);
  const overflow = registry.counter(DEFINITIONS.monitorOverflow);
  return registry.observed([DEFINITIONS.monitorSeries.name, DEFINITIONS.monitorOverflow.name], (now) => {
    for (const metric of registry) {
      if (metric === sizes || metric === overflow) continue;
      const labels = { metric: metric.definition.name };
      if (metric.size > 0) sizes.series(labels).set(metric.size, now);
      if (metric.overflowed > 0) overflow.series(labels).raiseTo(metric.overflowed, now);
    }
  });
}

function observeLedger(ledger: Runtime["ledger"], registry: Registry): () => void {
  const settled = registry.counter(DEFINITIONS.ledgerSettled);
  const inFlight = registry.gauge(DEFINITIONS.ledgerInFlight);
  return registry.observed([DEFINITIONS.ledgerSettled.name, DEFINITIONS.ledgerInFlight.name], (now) => {
    for (const [resource, balance] of Object.entries(ledger.balances())) {
      inFlight.series({ resource }).set(balance.inFlight, now);
      for (const certainty of CERTAINTIES) {
        const total = balance.settledAs[certainty];
        if (total > 0) settled.series({ resource, certainty }).raiseTo(total, now);
      }
    }
  });
}
