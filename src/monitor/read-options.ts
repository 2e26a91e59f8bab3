import {
  type Duration,
  durationMs,
  integerIn,
  knownKeys,
  numberIn,
  OptionError,
  oneOf,
  textOf,
} from "../core/index.ts";
import { AMPLIFICATION } from "./definitions.ts";
import { checkLabelKey } from "./metric.ts";
import { AGGREGATES, type Aggregate, aggregatesOf, type LabelFilter, type Query } from "./reading.ts";
import type { AnyMetric, Registry } from "./registry.ts";
import { FINE_MS, FINE_WINDOW_MS, WINDOW_MAX_MS } from "./slot-ring.ts";
import type { TimelineQuery } from "./timeline.ts";

interface Selection {
  /** Default `p95` of a histogram, `rate` of a counter, `value` of a gauge. */
  readonly aggregate?: Aggregate;
  /** Only series with these labels. */
  readonly labels?: LabelFilter;
  /** For `ratio` of a counter: the labels of the part. */
  readonly share?: LabelFilter;
}

export interface ReadOptions extends Selection {
  /** 5 s to 1 h. Default `"1m"`. */
  readonly window?: Duration;
}

export interface TimelineOptions extends Selection {
  /** 1 to 60. Default 15. */
  readonly minutes?: number;
  /** Whole and a multiple of 5; over 5 minutes of 60. Default 5 up to 5 minutes, else 60. */
  readonly stepSeconds?: number;
  /** One timeline for each value of this label; series without it are left out. */
  readonly by?: string;
}

const OURS = /^(breakwater|gen_ai)\./;
const DEFAULT_AGGREGATES = { histogram: "p95", counter: "rate", gauge: "value" } as const;

/** Throws {@link OptionError}. */
export function readQuery(registry: Registry, metric: string, options: ReadOptions): Query {
  knownKeys("read", options, ["aggregate", "window", "labels", "share"]);
  const windowMs = durationMs("read.window", options.window ?? "1m", { min: FINE_MS, max: WINDOW_MAX_MS });
  return { ...selectionOf("read", registry, metric, options), windowMs };
}

/** Throws {@link OptionError}. */
export function timelineQuery(registry: Registry, metric: string, options: TimelineOptions): TimelineQuery {
  knownKeys("timeline", options, ["aggregate", "minutes", "stepSeconds", "labels", "share", "by"]);
  const minutes = numberIn("timeline.minutes", options.minutes ?? 15, 1, 60);
  const windowMs = minutes * 60_000;
  const unit = windowMs > FINE_WINDOW_MS ? 60 : FINE_MS / 1000;
  const stepSeconds = integerIn("timeline.stepSeconds", options.stepSeconds ?? unit, unit, 3_600);
  if (stepSeconds % unit !== 0) {
    throw new OptionError("timeline.stepSeconds", stepSeconds, `a multiple of ${unit} for ${minutes} minutes`);
  }
  const selection = selectionOf("timeline", registry, metric, options);
  if (options.by !== undefined) checkLabelKey("timeline.by", options.by, labelsOf(knownMetric(registry, metric)));
  return { ...selection, windowMs, stepMs: stepSeconds * 1000, by: options.by };
}

function selectionOf(option: string, registry: Registry, name: string, { aggregate, labels, share }: Selection) {
  const metric = textOf(`${option}.metric`, name);
  const known = knownMetric(registry, metric);
  if (known === undefined && OURS.test(metric)) {
    throw new OptionError(
      `${option}.metric`,
      metric,
      "a metric that exists, or one of your own outside breakwater and gen_ai",
    );
  }
  const chosen = aggregate ?? defaultAggregate(known);
  oneOf(`${option}.aggregate`, chosen, known === undefined ? AGGREGATES : aggregatesOf(known));
  const allowed = labelsOf(known);
  return {
    metric,
    aggregate: chosen,
    labels: checkedFilter(`${option}.labels`, labels ?? {}, allowed),
    share: share === undefined ? undefined : checkedFilter(`${option}.share`, share, allowed),
  };
}

type Known = AnyMetric | typeof AMPLIFICATION | undefined;

function knownMetric(registry: Registry, name: string): Known {
  return name === AMPLIFICATION.name ? AMPLIFICATION : registry.get(name);
}

function labelsOf(known: Known): readonly string[] | undefined {
  if (known === undefined) return undefined;
  return "definition" in known ? known.definition.labels : known.labels;
}

function defaultAggregate(known: Known): Aggregate {
  if (known === undefined) return "value";
  return "definition" in known ? DEFAULT_AGGREGATES[known.definition.kind] : "ratio";
}

function checkedFilter(option: string, filter: LabelFilter, allowed: readonly string[] | undefined): LabelFilter {
  for (const key of Object.keys(knownKeys(option, filter, allowed ?? Object.keys(filter)))) {
    checkLabelKey(option, key, allowed);
  }
  return filter;
}
