import { setImmediate as turn } from "node:timers/promises";
import { knownKeys, OptionError } from "../../core/index.ts";
import type { Labels, Monitor } from "../../monitor/index.ts";
import { Exposition } from "./exposition.ts";
import { CONTENT_TYPES, formatFor, type PrometheusFormat } from "./format.ts";
import { LabelTexts } from "./label-texts.ts";
import { PrometheusNames } from "./names.ts";

export interface PrometheusOptions {
  /** Labels of every series, such as `{ region: "eu" }`; at most 16. Default none. */
  readonly labels?: Labels;
}

/** What one scrape gives: the metrics as they were when it was made. */
export interface Scrape {
  readonly format: PrometheusFormat;
  /** For the header `content-type`. */
  readonly contentType: string;
  /** The whole text. */
  text(): string;
  /** The same text in parts of about 64 KB; before each the event loop has a turn. */
  chunks(): AsyncGenerator<string, void, undefined>;
}

/** Shows the metrics of a monitor to Prometheus. */
export interface PrometheusExporter {
  /** Text format 0.0.4, or OpenMetrics 1.0 where the header `Accept` of the request asks for it. */
  scrape(accept?: string): Scrape;
}

const LABELS_MAX = 16;
const LABEL_KEY = /^(?!__)[a-zA-Z_][a-zA-Z0-9_]*$/;

/** An exporter of the metrics of `monitor`. Throws `OptionError`. */
export function prometheus(monitor: Pick<Monitor, "metrics">, options: PrometheusOptions = {}): PrometheusExporter {
  knownKeys("prometheus", options, ["labels"]);
  const labels = new LabelTexts(readLabels(options.labels ?? {}));
  const names = new PrometheusNames();
  const expositions = {
    text: new Exposition("text", names, labels),
    openmetrics: new Exposition("openmetrics", names, labels),
  };
  return {
    scrape(accept) {
      const format = formatFor(accept);
      const metrics = monitor.metrics();
      const chunks = (): Generator<string> => expositions[format].chunks(metrics);
      return {
        format,
        contentType: CONTENT_TYPES[format],
        text: () => [...chunks()].join(""),
        async *chunks() {
          for (const chunk of chunks()) {
            await turn();
            yield chunk;
          }
        },
      };
    },
  };
}

function readLabels(labels: Labels): Labels {
  const entries = Object.entries(knownKeys("prometheus.labels", labels, Object.keys(labels)));
  if (entries.length > LABELS_MAX) throw new OptionError("prometheus.labels", labels, `at most ${LABELS_MAX} labels`);
  for (const [key, value] of entries) {
    if (!LABEL_KEY.test(key) || key === "le") {
      throw new OptionError("prometheus.labels", key, 'keys of letters, digits and underscores, not "le"');
    }
    if (typeof value !== "string") throw new OptionError(`prometheus.labels.${key}`, value, "text");
  }
  return Object.fromEntries(entries) as Labels;
}
