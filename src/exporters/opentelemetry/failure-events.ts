import { type EventBus, errorName, textOf } from "../../core/index.ts";
import type { Optimizer } from "../../optimizer.ts";

/** The shape that exporters of metrics and of spans share. */
export interface OtelExporter {
  export(items: never, done: (result: { readonly code: number; readonly error?: Error }) => void): void;
}

/** `ExportResultCode.SUCCESS` */
const SUCCESS = 0;

/**
 * The same exporter; each export that fails is told as the event `exporter.failed`, which nobody else tells: OpenTelemetry
 * writes it to its own diagnostics at most. `name` is that of the event, default that of the exporter's class. Throws
 * `OptionError`.
 */
export function withFailureEvents<E extends OtelExporter>(
  exporter: E,
  optimizer: Pick<Optimizer, "line">,
  name?: string,
): E {
  const { events } = optimizer.line.runtime;
  const report = reporter(events, textOf("withFailureEvents.name", name ?? exporter.constructor.name, 128));
  const watched: OtelExporter["export"] = (items, done) => {
    try {
      exporter.export(items, (result) => {
        report(result.code === SUCCESS ? undefined : (result.error ?? new Error("export failed")));
        done(result);
      });
    } catch (error) {
      report(error);
      throw error;
    }
  };
  return new Proxy(exporter, {
    get(target, key) {
      if (key === "export") return watched;
      const value: unknown = Reflect.get(target, key, target);
      // Bound: a private field is not there on a proxy.
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

function reporter(events: EventBus, exporter: string): (error: unknown) => void {
  let consecutive = 0;
  return (error) => {
    consecutive = error === undefined ? 0 : consecutive + 1;
    if (consecutive > 0) events.emit("exporter.failed", undefined, { exporter, error: errorName(error), consecutive });
  };
}
