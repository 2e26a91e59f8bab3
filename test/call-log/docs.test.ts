import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { ADVISOR_DEFAULTS } from "../../src/advisor/index.ts";
import { CALL_LOG_DEFAULTS, QUERY_DEFAULTS } from "../../src/call-log/index.ts";
import { ROW_FIELDS } from "../../src/call-log/row.ts";

const page = (name: string): string => readFileSync(join(import.meta.dirname, "../../docs", name), "utf8");

/** A default as the tables write it: text in quotes, digits of numbers in threes. */
const shown = (value: unknown): string =>
  typeof value === "number"
    ? String(value).replace(/\B(?=(\d{3})+$)/g, value >= 10_000 ? "_" : "")
    : JSON.stringify(value);

describe("the pages of the call log and the advisor", () => {
  it.each([
    ["call-log.md", { ...CALL_LOG_DEFAULTS, ...QUERY_DEFAULTS }],
    ["advisor.md", ADVISOR_DEFAULTS],
  ])("%s has every option with its default", (name, defaults) => {
    for (const [option, value] of Object.entries(defaults)) {
      expect(page(name)).toContain(`| \`${option}\` | \`${shown(value)}\` |`);
    }
  });

  it("has every field of a row", () => {
    const fields = page("call-log.md").split("### A row")[1]?.split("## Events")[0] ?? "";
    for (const field of ROW_FIELDS) expect(fields).toContain(`\`${field}\``);
  });
});
