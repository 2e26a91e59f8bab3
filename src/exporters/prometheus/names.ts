import type { MetricSnapshot } from "../../monitor/index.ts";

interface Unit {
  /** What the name ends with; absent for things that are only counted. */
  readonly suffix?: string;
  /** Into the base unit. Absent: it is one. */
  readonly toBase?: (value: number) => number;
}

const UNITS: Readonly<Record<string, Unit>> = {
  s: { suffix: "seconds" },
  // A division gives the double nearest to the decimal number, which a multiplication by 0.001 may miss.
  ms: { suffix: "seconds", toBase: (ms) => ms / 1e3 },
  us: { suffix: "seconds", toBase: (us) => us / 1e6 },
  ns: { suffix: "seconds", toBase: (ns) => ns / 1e9 },
  min: { suffix: "seconds", toBase: (minutes) => minutes * 60 },
  h: { suffix: "seconds", toBase: (hours) => hours * 3_600 },
  d: { suffix: "seconds", toBase: (days) => days * 86_400 },
  By: { suffix: "bytes" },
  kBy: { suffix: "bytes", toBase: (kilobytes) => kilobytes * 1e3 },
  KiBy: { suffix: "bytes", toBase: (kibibytes) => kibibytes * 1_024 },
  MBy: { suffix: "bytes", toBase: (megabytes) => megabytes * 1e6 },
  MiBy: { suffix: "bytes", toBase: (mebibytes) => mebibytes * 1_024 ** 2 },
  "%": { suffix: "ratio", toBase: (percent) => percent / 100 },
};

/** What Prometheus calls a metric. */
export interface PrometheusName {
  /** Of the family: without `_total`. */
  readonly name: string;
  /** The unit that the name ends with, if it does. */
  readonly unit: string | undefined;
  /** Into that unit. Absent: values are in it. */
  readonly toBase: ((value: number) => number) | undefined;
}

type Named = Pick<MetricSnapshot, "name" | "unit" | "kind">;

/**
 * The name that OpenTelemetry's translation to Prometheus gives: dots become underscores, the unit is spelled out and
 * is a base unit, annotations such as `{call}` go.
 *
 * Source: OpenTelemetry specification, compatibility with Prometheus; https://prometheus.io/docs/practices/naming/.
 */
function prometheusName({ name, unit, kind }: Named): PrometheusName {
  const base = name.replaceAll(".", "_").replace(RESERVED_END, "");
  const { suffix, toBase } = unitOf(unit, kind);
  const ends = suffix === undefined || base.endsWith(`_${suffix}`);
  return { name: ends ? base : `${base}_${suffix}`, unit: suffix, toBase };
}

// What lines of counters and histograms end with.
const RESERVED_END = /_(total|bucket|sum|count)$/;

/** Names of metrics, no two of them alike: `a.b` and `a_b` differ here, but not in Prometheus. */
export class PrometheusNames {
  readonly #known = new Map<string, PrometheusName>();
  readonly #taken = new Set<string>();

  of(metric: Named): PrometheusName {
    let named = this.#known.get(metric.name);
    if (named === undefined) {
      named = this.#claim(prometheusName(metric), metric.kind);
      this.#known.set(metric.name, named);
    }
    return named;
  }

  #claim(wanted: PrometheusName, kind: MetricSnapshot["kind"]): PrometheusName {
    for (let number = 1; ; number++) {
      const named = number === 1 ? wanted : { ...wanted, name: `${wanted.name}_${number}`, unit: undefined };
      const samples = SAMPLE_SUFFIXES[kind].map((suffix) => named.name + suffix);
      if (samples.some((sample) => this.#taken.has(sample))) continue;
      for (const sample of samples) this.#taken.add(sample);
      return named;
    }
  }
}

// What lines of a metric, or of its name in another form, may begin with.
const SAMPLE_SUFFIXES: Readonly<Record<MetricSnapshot["kind"], readonly string[]>> = {
  counter: ["", "_total"],
  gauge: [""],
  histogram: ["", "_bucket", "_sum", "_count"],
};

function unitOf(unit: string, kind: MetricSnapshot["kind"]): Unit {
  const bare = unit.replace(/\{[^}]*\}/g, "").trim();
  const known = UNITS[bare];
  if (known !== undefined) return known;
  if (bare === "1") return kind === "gauge" ? { suffix: "ratio" } : {};
  const [amount = "", time = ""] = bare.split("/");
  const seconds = UNITS[time];
  if (seconds?.suffix === "seconds") return perSecond(unitOf(amount, "counter"), seconds);
  const word = bare
    .toLowerCase()
    .match(/[a-z0-9]+/g)
    ?.join("_");
  return word === undefined ? {} : { suffix: word };
}

function perSecond({ suffix, toBase = same }: Unit, { toBase: toSeconds = same }: Unit): Unit {
  const perTime = toSeconds(1);
  return {
    suffix: suffix === undefined ? "per_second" : `${suffix}_per_second`,
    ...((toBase !== same || perTime !== 1) && { toBase: (value: number) => toBase(value) / perTime }),
  };
}

function same(value: number): number {
  return value;
}
