/** What the dashboard's page is sent: plain data, the same in a snapshot and in an update. */

/** Minutes that tiles, charts and tables look back. */
export const WINDOWS = [1, 5, 15] as const;
export type WindowMinutes = (typeof WINDOWS)[number];

export interface ViewQuery {
  readonly window: WindowMinutes;
  /** Only calls of this provider, or of this model. */
  readonly provider: string | undefined;
  readonly model: string | undefined;
}

/** `null`: there was no data then. Times are milliseconds since the Unix epoch. */
export type Points = readonly (readonly [at: number, value: number | null])[];

export const TILES = ["calls", "success", "latency", "firstChunk", "tokens", "cost"] as const;
export type TileName = (typeof TILES)[number];

/** Calls and tokens per minute, success from 0 to 1, times in seconds, cost in US dollars per hour. */
export interface TileView {
  readonly value: number | null;
  /** The part that is told beside the value: output tokens per minute. */
  readonly second?: number | null;
  /** The same, of the window before. */
  readonly previous: number | null;
  /** How many values it is made of. */
  readonly n: number;
  /** The last 15 minutes; of amounts the rate. */
  readonly spark: Points;
}

export const CHARTS = ["latency", "firstChunk", "errors", "servedBy", "retries", "waits", "timeouts", "loop"] as const;
export type ChartName = (typeof CHARTS)[number];

export interface SeriesView {
  readonly label: string;
  readonly points: Points;
}

export interface ChartView {
  readonly series: readonly SeriesView[];
  /** How many values it is made of, where it shows percentiles. */
  readonly n: number | null;
}

export interface ModelView {
  readonly provider: string;
  readonly model: string;
  readonly calls: number;
  /** Answered calls of those that were not cancelled; `null` when there are none. */
  readonly success: number | null;
  readonly p95: number | null;
  readonly n: number;
  readonly firstChunkP95: number | null;
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly cost: number | null;
  readonly breaker: "closed" | "half open" | "open";
  /** What the provider says is left of its tightest limit, 0 to 1. */
  readonly headroom: number | null;
}

export interface BreakerView {
  readonly key: string;
  readonly state: BreakerState;
  /** When it came to be in that state. */
  readonly since: number;
  /** Changes of the last 15 minutes, oldest first. */
  readonly changes: readonly (readonly [at: number, state: BreakerState])[];
}
export type BreakerState = "closed" | "half open" | "open";

export interface AlertView {
  readonly rule: string;
  readonly level: "info" | "warning" | "critical";
  readonly state: "pending" | "firing" | "recovering" | "resolved";
  readonly labels: string;
  readonly value: number | null;
  readonly threshold: number | null;
  readonly metric: string;
  readonly aggregate: string | null;
  /** It fires, and something keeps it from being told. */
  readonly isQuiet: boolean;
  readonly since: number;
}

/** Calls that failed alike: what and why, never what was asked. `at`, `attempts` and `seconds` are of the last one. */
export interface FailureView {
  readonly count: number;
  readonly at: number;
  readonly provider: string;
  readonly model: string;
  readonly error: string;
  readonly status: number | null;
  readonly refusedBy: string | null;
  readonly attempts: number;
  readonly seconds: number;
}

/** Seconds of a slow call by where they went. */
export interface SlowCallView {
  readonly at: number;
  readonly provider: string;
  readonly model: string;
  readonly seconds: number;
  readonly attempts: number;
  readonly provide: number;
  readonly queue: number;
  readonly throttle: number;
  readonly rateLimit: number;
  readonly backoff: number;
}

/** What could be better, with the figures that say so. */
export interface RecommendationView {
  readonly id: string;
  readonly title: string;
  readonly advice: string;
  readonly evidence: Readonly<Record<string, number | string>>;
  readonly undoWhen: string;
}

/** A processor profile that was taken after a slow call. */
export interface ProfileView {
  readonly id: string;
  readonly at: number;
  readonly seconds: number;
  /** The hottest functions, hottest first. */
  readonly top: readonly string[];
}

/** One number of the line, the process or the monitor itself; `limit` in the same unit. */
export interface GaugeView {
  readonly name: string;
  readonly unit: "ratio" | "bytes" | "seconds" | "count" | "bytesPerSecond" | "dollarsPerHour";
  readonly value: number | null;
  readonly limit?: number | null;
}

export interface View {
  readonly at: number;
  readonly query: { readonly window: WindowMinutes; readonly provider: string | null; readonly model: string | null };
  readonly profile: string;
  readonly health: {
    readonly status: "ok" | "degraded" | "down";
    readonly reasons: readonly string[];
    readonly since: number;
  };
  /** Without prices there is no cost to show. */
  readonly priced: boolean;
  readonly facts: readonly GaugeView[];
  readonly tiles: Readonly<Record<TileName, TileView>>;
  readonly charts: Readonly<Record<ChartName, ChartView>>;
  readonly models: readonly ModelView[];
  /** Rows that the table leaves out, which have the fewest calls. */
  readonly modelsLeftOut: number;
  readonly breakers: readonly BreakerView[];
  readonly alerts: readonly AlertView[];
  readonly failures: readonly FailureView[];
  readonly slowCalls: readonly SlowCallView[];
  /** `null`: nobody looks for any. */
  readonly recommendations: readonly RecommendationView[] | null;
  /** `null`: nobody takes any. */
  readonly profiles: readonly ProfileView[] | null;
  readonly system: readonly GaugeView[];
}
