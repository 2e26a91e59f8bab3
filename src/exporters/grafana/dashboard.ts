import type { Panel, Query } from "./panels.ts";
import { ROWS, type Row } from "./rows.ts";

const COLUMNS = 24;
const SOURCE = { type: "prometheus", uid: "$datasource" };

/**
 * A Grafana dashboard of the metrics that `breakwater/prometheus` writes, as the JSON that Grafana imports: traffic,
 * latency, errors and cost by model first, then the state of resilience, then the process.
 *
 * Source: Grafana dashboard JSON model, schema version 39.
 */
export function grafanaDashboard(): object {
  return {
    uid: "breakwater",
    title: "Breakwater: LLM calls",
    tags: ["breakwater", "llm"],
    schemaVersion: 39,
    editable: true,
    graphTooltip: 1,
    refresh: "10s",
    time: { from: "now-1h", to: "now" },
    timezone: "browser",
    templating: { list: [dataSource(), labelValues("provider", ""), labelValues("model", '{provider=~"$provider"}')] },
    panels: placed(ROWS),
  };
}

/** Every query of it. */
export function dashboardQueries(): readonly string[] {
  return ROWS.flatMap(({ panels }) => panels.flatMap(({ queries }) => queries.map(({ expr }) => expr)));
}

function dataSource(): object {
  return { name: "datasource", label: "Data source", type: "datasource", query: "prometheus", hide: 0, current: {} };
}

function labelValues(label: string, selector: string): object {
  return {
    name: label,
    label: label === "provider" ? "Provider" : "Model",
    type: "query",
    datasource: SOURCE,
    query: { query: `label_values(breakwater_calls_total${selector}, ${label})`, refId: label },
    refresh: 2,
    sort: 1,
    multi: true,
    includeAll: true,
    // Also what has no such label yet.
    allValue: ".*",
    current: { selected: true, text: ["All"], value: ["$__all"] },
  };
}

/** Left to right, then down. */
function placed(rows: readonly Row[]): object[] {
  const result: object[] = [];
  let y = 0;
  for (const { title, panels } of rows) {
    result.push({
      id: result.length + 1,
      type: "row",
      title,
      collapsed: false,
      gridPos: { x: 0, y, w: COLUMNS, h: 1 },
      panels: [],
    });
    y++;
    let x = 0;
    let lineHeight = 0;
    for (const panel of panels) {
      if (x + panel.width > COLUMNS) {
        y += lineHeight;
        x = 0;
        lineHeight = 0;
      }
      result.push({ id: result.length + 1, gridPos: { x, y, w: panel.width, h: panel.height }, ...panelJson(panel) });
      x += panel.width;
      lineHeight = Math.max(lineHeight, panel.height);
    }
    y += lineHeight;
  }
  return result;
}

function panelJson(panel: Panel): object {
  const { type, title, description, unit, mappings } = panel;
  const isTable = type === "table";
  return {
    type,
    title,
    description,
    datasource: SOURCE,
    targets: panel.queries.map((query, index) => target(query, index, isTable)),
    fieldConfig: { defaults: { unit, mappings, min: 0, custom: custom(panel) }, overrides: [] },
    options: options(type),
    ...(isTable && { transformations: oneRowEach(panel.queries) }),
  };
}

function target({ expr, legend }: Query, index: number, isTable: boolean): object {
  return {
    refId: refId(index),
    datasource: SOURCE,
    expr,
    legendFormat: legend,
    ...(isTable ? { format: "table", instant: true } : { range: true }),
  };
}

function custom({ type, stacked }: Panel): object {
  if (type !== "timeseries") return {};
  return {
    lineWidth: 1,
    fillOpacity: stacked ? 30 : 0,
    // A gap is no traffic, and a line across it would say otherwise.
    spanNulls: false,
    stacking: { mode: stacked ? "normal" : "none" },
  };
}

function options(type: Panel["type"]): object {
  if (type === "stat") return { graphMode: "area", colorMode: "none", reduceOptions: { calcs: ["lastNotNull"] } };
  if (type === "timeseries") {
    return {
      legend: { displayMode: "table", placement: "bottom", calcs: ["mean", "max"] },
      tooltip: { mode: "multi" },
    };
  }
  return type === "state-timeline" ? { showValue: "auto", rowHeight: 0.8 } : {};
}

function oneRowEach(queries: readonly Query[]): object[] {
  const names = queries.map(({ legend }, index) => [`Value #${refId(index)}`, legend]);
  return [
    { id: "merge", options: {} },
    { id: "organize", options: { excludeByName: { Time: true }, renameByName: Object.fromEntries(names) } },
  ];
}

function refId(index: number): string {
  return String.fromCharCode(65 + index);
}
