/** A panel before it has a place on the board. */
export interface Panel {
  readonly type: "timeseries" | "stat" | "state-timeline" | "table";
  readonly title: string;
  readonly description: string;
  /** Of 24. */
  readonly width: number;
  readonly height: number;
  readonly queries: readonly Query[];
  readonly unit: string;
  readonly stacked: boolean;
  readonly mappings: readonly object[];
}

export interface Query {
  /** PromQL, with Grafana's variables. */
  readonly expr: string;
  /** What a line is called: text with `{{label}}`. */
  readonly legend: string;
}

/** Units as Grafana names them. */
export type GrafanaUnit = "short" | "s" | "percentunit" | "cpm" | "currencyUSD" | "bytes";

type Look = Partial<Pick<Panel, "width" | "height" | "stacked" | "mappings" | "description">>;

/** One number, large, with its line behind it. */
export function stat(title: string, unit: GrafanaUnit, expr: string, look: Look = {}): Panel {
  return panel("stat", title, unit, [{ expr, legend: title }], { width: 4, height: 4, ...look });
}

/** Lines over time, one for each series of each query. */
export function lines(
  title: string,
  unit: GrafanaUnit,
  queries: Readonly<Record<string, string>>,
  look: Look = {},
): Panel {
  const all = Object.entries(queries).map(([legend, expr]) => ({ legend, expr }));
  return panel("timeseries", title, unit, all, { width: 12, height: 8, ...look });
}

/** Which state something was in, over time. */
export function states(
  title: string,
  legend: string,
  expr: string,
  mappings: readonly object[],
  look: Look = {},
): Panel {
  return panel("state-timeline", title, "short", [{ expr, legend }], { width: 12, height: 8, mappings, ...look });
}

/** One row for each label set that the queries have in common, one column for each query. */
export function table(title: string, queries: Readonly<Record<string, string>>, look: Look = {}): Panel {
  const all = Object.entries(queries).map(([legend, expr]) => ({ legend, expr }));
  return panel("table", title, "short", all, { width: 24, height: 8, ...look });
}

function panel(type: Panel["type"], title: string, unit: GrafanaUnit, queries: readonly Query[], look: Look): Panel {
  return { type, title, description: "", width: 12, height: 8, unit, queries, stacked: false, mappings: [], ...look };
}
