import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { ENVIRONMENT } from "../../src/environment.ts";
import { PROFILES } from "../../src/index.ts";

const page = readFileSync(join(import.meta.dirname, "../../docs/profiles.md"), "utf8");

/** Rows of the table whose first column has this title, as cells. */
function table(title: string): { columns: string[]; rows: string[][] } {
  const lines = page.split("\n");
  const start = lines.findIndex((line) => line.startsWith(`| ${title} |`));
  const end = lines.findIndex((line, index) => index > start && !line.startsWith("|"));
  const [columns, , ...rows] = lines.slice(start, end).map((line) =>
    line
      .split("|")
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
  return { columns: columns as string[], rows };
}

function flat(value: object, path = ""): Record<string, string> {
  return Object.fromEntries(
    Object.entries(value).flatMap(([key, inner]) =>
      typeof inner === "object" ? Object.entries(flat(inner, `${path}${key}.`)) : [[`${path}${key}`, String(inner)]],
    ),
  );
}

describe("the tables of defaults", () => {
  it("say of every profile what the code says", () => {
    const { columns, rows } = table("profile");
    const documented = Object.fromEntries(
      rows.map(([name, ...cells]) => [
        name,
        Object.fromEntries(cells.map((cell, index) => [columns[index + 1], cell])),
      ]),
    );
    expect(documented).toEqual(
      Object.fromEntries(Object.entries(PROFILES).map(([name, profile]) => [name, flat(profile)])),
    );
  });

  it("list every variable and the option it sets", () => {
    const documented = Object.fromEntries(
      table("variable").rows.map(([variable, sets]) => [
        variable?.replaceAll("`", ""),
        /`([^`]+)`/.exec(sets ?? "")?.[1],
      ]),
    );
    expect(documented).toEqual(
      Object.fromEntries(Object.entries(ENVIRONMENT).map(([variable, { path }]) => [variable, path.join(".")])),
    );
  });
});
