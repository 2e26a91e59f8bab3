/** Writes docs/grafana/breakwater.json from its source in src/exporters/grafana. */
import { spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { grafanaDashboard } from "../src/exporters/prometheus/index.ts";

const folder = join(import.meta.dirname, "../docs/grafana");
const file = join(folder, "breakwater.json");
mkdirSync(folder, { recursive: true });
writeFileSync(file, JSON.stringify(grafanaDashboard()));
process.exit(spawnSync("biome", ["format", "--write", file], { stdio: "inherit" }).status ?? 1);
