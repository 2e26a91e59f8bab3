import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { pageFiles } from "../../src/dashboard/index.ts";

const KILOBYTE = 1024;

describe("the page's files", () => {
  it("are one page, one script and one style sheet, and small", async () => {
    const files = await pageFiles();
    const sizes = new Map(files.map(({ type, text }) => [type.split(";")[0], gzipSync(text).byteLength]));
    expect([...sizes.keys()].sort()).toEqual(["text/css", "text/html", "text/javascript"]);
    expect(sizes.get("text/javascript")).toBeLessThan(45 * KILOBYTE);
    expect(sizes.get("text/css")).toBeLessThan(5 * KILOBYTE);
  });

  it("have nothing inline and nothing from elsewhere, and names that change with their content", async () => {
    const files = await pageFiles();
    const html = files.find(({ name }) => name === "index.html")?.text ?? "";
    expect(html).not.toMatch(/<style|style=|<script(?![^>]*src=)|\son[a-z]+=|https?:|<base/i);
    const named = [...html.matchAll(/(?:src|href)="([^"]+\.(?:js|css))"/g)].map(([, name]) => name);
    expect(named.sort()).toEqual(
      files
        .map(({ name }) => name)
        .filter((name) => name !== "index.html")
        .sort(),
    );
    for (const name of named) expect(name).toMatch(/^dashboard-[A-Z0-9]{8}\.(js|css)$/);
  });

  it("name the licences of what is bundled", async () => {
    const script = (await pageFiles()).find(({ name }) => name.endsWith(".js"))?.text ?? "";
    for (const part of ["Preact", "uPlot", "MIT"]) expect(script.slice(0, 400)).toContain(part);
  });
});
