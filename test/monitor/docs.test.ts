import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { metricsPage } from "../../scripts/metrics-page.ts";
import { type EventType, SEVERITIES } from "../../src/core/index.ts";
import { AMPLIFICATION, DEFINITIONS } from "../../src/monitor/definitions.ts";
import { MONITOR_DEFAULTS } from "../../src/monitor/index.ts";
import { SYSTEM_DEFINITIONS } from "../../src/system/index.ts";
import { SAMPLES } from "./samples.ts";
import { endOf } from "./support.ts";

const DOCS = resolve(import.meta.dirname, "../../docs");
const page = (name: string): string => readFileSync(join(DOCS, name), "utf8");

function rowsOf(text: string): Map<string, string[]> {
  const rows = text.split("\n").filter((line) => line.startsWith("| `"));
  const cells = rows.map((row) => row.split(" | ").map((cell) => cell.replace(/^\| | \|$/g, "")));
  return new Map(cells.map(([name = "", ...rest]) => [name.replaceAll("`", ""), rest]));
}

describe("docs/metrics.md", () => {
  it("has the tables that scripts/metrics-page.ts writes, with every metric in one of them", () => {
    const text = page("metrics.md");
    expect(metricsPage(text)).toBe(text);
    const rows = rowsOf(text);
    const metrics = [...Object.values(DEFINITIONS), ...Object.values(SYSTEM_DEFINITIONS), AMPLIFICATION];
    for (const { name, unit, description } of metrics) {
      const [, shownUnit, , shownDescription] = rows.get(name) ?? [];
      expect([shownUnit, shownDescription], name).toEqual([`\`${unit}\``, description]);
    }
  });
});

describe("docs/monitor.md", () => {
  const rows = rowsOf(page("monitor.md"));

  it("has the options' defaults", () => {
    for (const [option, value] of Object.entries(MONITOR_DEFAULTS)) {
      expect(rows.get(option)?.[0], option).toBe(`\`${JSON.stringify(value)}\``);
    }
  });
});

describe("docs/events.md", () => {
  const rows = rowsOf(page("events.md"));
  const ends = new Set(Object.keys(endOf(1)));

  it.each(Object.entries(SAMPLES))("tells severity and fields of %s", (type, sample) => {
    const [severity, fields = ""] = rows.get(type) ?? [];
    expect(severity).toBe(SEVERITIES[type as EventType]);
    const own = Object.keys(sample).filter((field) => !(fields.includes("*end*") && ends.has(field)));
    const listed = [...fields.matchAll(/`(\w+)\??`/g)].map(([, field]) => field);
    expect(listed.toSorted()).toEqual(own.toSorted());
  });

  it("has no other event", () => {
    const known = new Set([...Object.keys(SEVERITIES), "v", "type", "ts", "severity", "callId, op, provider, model"]);
    expect([...rows.keys()].filter((name) => !known.has(name))).toEqual([]);
  });
});
