/** Writes the tables of docs/metrics.md from the metrics' definitions; `--check` only says whether the page is current. */
import { readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { AMPLIFICATION, DEFINITIONS } from "../src/monitor/definitions.ts";
import type { MetricDefinition } from "../src/monitor/metric.ts";
import { SYSTEM_DEFINITIONS } from "../src/system/definitions.ts";

const PAGE = resolve(import.meta.dirname, "../docs/metrics.md");
const BEGIN = /<!-- begin (\w+) -->\n[\s\S]*?<!-- end \1 -->/g;

type Row = Pick<MetricDefinition, "name" | "unit" | "description"> & {
  readonly kind: string;
  readonly labels: readonly string[] | undefined;
};

const TABLES: Readonly<Record<string, readonly Row[]>> = {
  calls: Object.values(DEFINITIONS).filter(({ labels }) => labels?.includes("op")),
  policies: [
    ...Object.values(DEFINITIONS).filter(({ labels }) => !labels?.includes("op")),
    { ...AMPLIFICATION, kind: "derived" },
  ],
  system: Object.values(SYSTEM_DEFINITIONS),
};

function tableOf(rows: readonly Row[]): string {
  const lines = rows.map(({ name, kind, unit, labels, description }) => {
    const keys = (labels ?? []).map((label) => `\`${label}\``).join(", ");
    return `| \`${name}\` | ${kind} | \`${unit}\` | ${keys} | ${description} |`;
  });
  return ["| metric | kind | unit | labels | meaning |", "|---|---|---|---|---|", ...lines].join("\n");
}

/** The page with its tables as the definitions are. */
export function metricsPage(text = readFileSync(PAGE, "utf8")): string {
  return text.replace(
    BEGIN,
    (_all, name: string) => `<!-- begin ${name} -->\n${tableOf(TABLES[name] ?? [])}\n<!-- end ${name} -->`,
  );
}

if (process.argv[1] !== undefined && resolve(process.argv[1]) === join(import.meta.dirname, "metrics-page.ts")) {
  const current = readFileSync(PAGE, "utf8");
  const wanted = metricsPage(current);
  if (!process.argv.includes("--check")) writeFileSync(PAGE, wanted);
  else if (wanted !== current) {
    console.error("docs/metrics.md is not current: node scripts/metrics-page.ts");
    process.exitCode = 1;
  }
}
