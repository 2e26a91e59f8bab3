import type { Runtime } from "../core/index.ts";
import { DEFINITIONS } from "./definitions.ts";
import type { Registry } from "./registry.ts";

const CERTAINTIES = ["exact", "atLeast", "estimated"] as const;

/** Feeds the metrics of the monitor itself, of alerts and of the ledger. Gives back how to stop. */
export function recordOwn({ clock, events, ledger }: Runtime, registry: Registry): readonly (() => void)[] {
  const alerts = registry.counter(DEFINITIONS.alerts);
  const exportFailures = registry.counter(DEFINITIONS.monitorExportFailures);
  const handlerErrors = registry.counter(DEFINITIONS.monitorHandlerErrors);
  return [
    events.on("alert", ({ rule, level, state }) => {
      alerts.series({ rule, level, state }).add(1, clock.now());
    }),
    events.on("alert.handler_failed", () => {
      handlerErrors.series({ kind: "alert" }).add(1, clock.now());
    }),
    events.on("exporter.failed", ({ exporter }) => {
      exportFailures.series({ exporter }).add(1, clock.now());
    }),
    events.on("listener.failed", () => {
      handlerErrors.series({ kind: "listener" }).add(1, clock.now());
    }),
    observeSize(registry),
    observeLedger(ledger, registry),
  ];
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
