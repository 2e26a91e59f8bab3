import type { Aggregate, LabelFilter, Monitor } from "../monitor/index.ts";
import type { Points, SeriesView, ViewQuery } from "./view.ts";

/** Seconds of a step of the charts: as fine as the monitor keeps that window. */
const STEP_SECONDS = { 1: 5, 5: 5, 15: 60 } as const;

interface Asked {
  readonly aggregate: Aggregate;
  readonly labels?: LabelFilter;
  readonly share?: LabelFilter;
}

/** Reads the monitor for one view: within its window, and only what passes its filter. */
export class Readings {
  readonly monitor: Monitor;
  readonly query: ViewQuery;
  readonly filter: LabelFilter;
  /** Now, and when the monitor began to count, in milliseconds since the Unix epoch. */
  readonly at: number;
  readonly startedAt: number;

  constructor(
    monitor: Monitor,
    query: ViewQuery,
    { at, startedAt }: { readonly at: number; readonly startedAt: number },
  ) {
    this.monitor = monitor;
    this.at = at;
    this.startedAt = startedAt;
    this.query = query;
    this.filter = {
      ...(query.provider !== undefined && { provider: query.provider }),
      ...(query.model !== undefined && { model: query.model }),
    };
  }

  /** The same without the filter. */
  ofEverything(): Readings {
    return new Readings(this.monitor, { window: this.query.window, provider: undefined, model: undefined }, this);
  }

  value(metric: string, { labels, ...asked }: Asked): number | null {
    const options = { ...asked, window: `${this.query.window}m` as const, labels: { ...labels, ...this.filter } };
    return this.monitor.read(metric, options) ?? null;
  }

  /**
   * The value of the window before. Steps of that length have fixed borders: it is the one that ended a half to one and
   * a half windows ago.
   */
  previous(metric: string, { labels, ...asked }: Asked): number | null {
    const { window } = this.query;
    const [line] = this.monitor.timeline(metric, {
      ...asked,
      minutes: window * 3,
      stepSeconds: window * 60,
      labels: { ...labels, ...this.filter },
    });
    const points = line?.points ?? [];
    const elapsedMs = this.at - (points.at(-1)?.[0] ?? this.at);
    return points.at(elapsedMs >= window * 30_000 ? -2 : -3)?.[1] ?? null;
  }

  /** The last 15 minutes. */
  spark(metric: string, { labels, ...asked }: Asked): Points {
    const [line] = this.monitor.timeline(metric, { ...asked, minutes: 15, labels: { ...labels, ...this.filter } });
    return line?.points ?? [];
  }

  /** The window step by step; with `by` one line for each value of that label. */
  lines(metric: string, { labels, ...asked }: Asked, by?: string): readonly SeriesView[] {
    const { window } = this.query;
    const lines = this.monitor.timeline(metric, {
      ...asked,
      minutes: window,
      stepSeconds: STEP_SECONDS[window],
      labels: { ...labels, ...this.filter },
      ...(by !== undefined && { by }),
    });
    return lines.map((line) => ({ label: by === undefined ? "" : (line.labels[by] ?? ""), points: line.points }));
  }
}
