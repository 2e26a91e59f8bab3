import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { dashboardQueries } from "../../src/exporters/grafana/index.ts";
import { grafanaDashboard, prometheus } from "../../src/exporters/prometheus/index.ts";
import { busyProcess } from "./busy.ts";
import { parseExposition } from "./exposition.ts";

const FILE = resolve(import.meta.dirname, "../../docs/grafana/breakwater.json");
const SELECTOR = /\b([a-z][a-z0-9_]*_[a-z0-9_]+)(?:\{([^}]*)\})?/g;
const WORDS = new Set(["histogram_quantile", "group_left"]);

/** Each label that samples of a name have, in what a monitor that saw everything writes. */
async function labelsBySample(): Promise<Map<string, Set<string>>> {
  const { monitor } = await busyProcess();
  const found = new Map<string, Set<string>>();
  for (const { samples } of parseExposition(prometheus(monitor).scrape().text())) {
    for (const { name, labels } of samples) {
      const keys = found.get(name) ?? new Set();
      for (const key of Object.keys(labels)) keys.add(key);
      found.set(name, keys);
    }
  }
  return found;
}

/** The metrics that a query reads, and the labels it expects of them. */
function reads(query: string): { readonly metric: string; readonly labels: string[] }[] {
  const plain = query.replace(/\b(by|ignoring|on|group_left)\s*\([^)]*\)/g, " ");
  return [...plain.matchAll(SELECTOR)]
    .filter(([, metric]) => !WORDS.has(metric as string))
    .map(([, metric, labels = ""]) => ({
      metric: metric as string,
      labels: [...labels.matchAll(/([a-z_]+)=~?"/g)].map(([, label]) => label as string),
    }));
}

describe("the Grafana dashboard", () => {
  it("asks only for metrics and labels that there are", async () => {
    const known = await labelsBySample();
    const queries = dashboardQueries();
    expect(queries.length).toBeGreaterThan(30);
    for (const query of queries) {
      const parts = reads(query);
      expect(parts.length, query).toBeGreaterThan(0);
      const groups = [...query.matchAll(/\bby\s*\(([^)]*)\)/g)].flatMap(([, keys]) => (keys as string).split(/,\s*/));
      for (const { metric, labels } of parts) {
        const keys = known.get(metric);
        expect(keys, `${metric} in ${query}`).toBeDefined();
        for (const key of [...labels, ...groups]) expect(keys, `${key} of ${metric} in ${query}`).toContain(key);
      }
    }
  });

  it("shows each label in a legend only where the query keeps it", () => {
    for (const { expr, legendFormat } of targets()) {
      const kept = [...expr.matchAll(/\bby\s*\(([^)]*)\)/g)].flatMap(([, keys]) => (keys as string).split(/,\s*/));
      for (const [, label] of legendFormat.matchAll(/\{\{(\w+)\}\}/g))
        expect(kept, `${legendFormat}: ${expr}`).toContain(label);
    }
  });

  it.skipIf(spawnSync("promtool", ["--version"]).status !== 0)("asks in valid PromQL", () => {
    const rules = dashboardQueries().map((query, index) => ({
      record: `breakwater:query_${index}`,
      expr: query.replaceAll("$__rate_interval", "5m").replace(/\$(provider|model)/g, ".*"),
    }));
    const folder = mkdtempSync(join(tmpdir(), "breakwater-rules-"));
    try {
      const file = join(folder, "rules.json");
      // JSON is YAML too.
      writeFileSync(file, JSON.stringify({ groups: [{ name: "board", rules }] }));
      expect(execFileSync("promtool", ["check", "rules", file], { encoding: "utf8" })).toContain(
        `${rules.length} rules`,
      );
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it("has every panel in a place of its own, with an id of its own", () => {
    const panels = panelsOf();
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
    const cells = panels.flatMap(({ gridPos: { x, y, w, h } }) =>
      Array.from({ length: w * h }, (_, cell) => `${x + (cell % w)},${y + Math.floor(cell / w)}`),
    );
    expect(new Set(cells).size).toBe(cells.length);
    expect(Math.max(...panels.map(({ gridPos: { x, w } }) => x + w))).toBe(24);
  });

  it("is what docs/grafana/breakwater.json holds; scripts/grafana.ts writes it", () => {
    expect(JSON.parse(readFileSync(FILE, "utf8"))).toEqual(grafanaDashboard());
  });
});

interface BoardPanel {
  readonly id: number;
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly targets?: readonly { readonly expr: string; readonly legendFormat: string }[];
}

function panelsOf(): readonly BoardPanel[] {
  return (grafanaDashboard() as { readonly panels: readonly BoardPanel[] }).panels;
}

function targets() {
  return panelsOf().flatMap(({ targets: queries = [] }) => queries);
}
