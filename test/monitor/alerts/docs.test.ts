import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { durationMs } from "../../../src/core/index.ts";
import { ALERT_DEFAULTS, type AlertRule, DEFAULT_ALERTS, GROUPING_DEFAULTS } from "../../../src/monitor/index.ts";

const PAGE = readFileSync(resolve(import.meta.dirname, "../../../docs/alerts.md"), "utf8");

const rows = new Map(
  PAGE.split("\n")
    .filter((line) => line.startsWith("| `"))
    .map((line) => line.replace(/^\| | \|$/g, "").split(" | "))
    .map(([name = "", ...rest]) => [name.replaceAll("`", ""), rest]),
);

function levelsOf({ above, level }: AlertRule): string {
  if (typeof above !== "object" || "times" in above) return level ?? ALERT_DEFAULTS.level;
  return Object.keys(above).join(", ");
}

describe("docs/alerts.md", () => {
  it("has every built-in rule with its levels and what is sent instead, and no other", () => {
    for (const rule of DEFAULT_ALERTS) {
      const [levels, , , instead = ""] = rows.get(rule.id as string) ?? [];
      expect(levels, rule.id).toBe(levelsOf(rule));
      expect(instead.trim(), rule.id).toBe((rule.inhibitedBy ?? []).map((id) => `\`${id}\``).join(", "));
    }
    const section = PAGE.slice(PAGE.indexOf("## Built-in rules"), PAGE.indexOf("## Events"));
    const listed = [...section.matchAll(/^\| `(\w+)`/gm)].map(([, id]) => id);
    expect(listed).toEqual(DEFAULT_ALERTS.map(({ id }) => id));
  });

  it("tells when each rule on a metric fires, for how long, and with how many values", () => {
    for (const rule of DEFAULT_ALERTS) {
      const [, fires = "", over = ""] = rows.get(rule.id as string) ?? [];
      if (!("metric" in rule)) continue;
      const wait = durationMs("for", rule.for ?? 0);
      if (wait >= 60_000) expect(fires, rule.id).toContain(`for ${wait / 60_000} min`);
      if ((rule.minCount ?? 0) > 1 && rule.and === undefined) {
        expect(fires, rule.id).toContain(`n >= ${rule.minCount}`);
      }
      const keep = durationMs("keep", rule.keep ?? ALERT_DEFAULTS.keep);
      if (rule.id !== "budget")
        expect(over, rule.id).toMatch(keep < 60_000 ? `${keep / 1000} s` : `${keep / 60_000} min`);
    }
  });

  it("has the defaults of rules and of grouping", () => {
    expect(rows.get("for")?.[0]).toBe("`0`");
    for (const field of ["window", "keep", "cooldown"] as const) {
      const text = JSON.parse(rows.get(field)?.[0]?.replaceAll("`", "") ?? "0");
      expect(durationMs(field, text), field).toBe(ALERT_DEFAULTS[field]);
    }
    for (const field of ["level", "noData"] as const) {
      expect(rows.get(field)?.[0], field).toBe(`\`${JSON.stringify(ALERT_DEFAULTS[field])}\``);
    }
    for (const [field, value] of Object.entries(GROUPING_DEFAULTS)) {
      expect(rows.get(field)?.[0], field).toBe(`\`${JSON.stringify(value)}\``);
    }
  });
});
