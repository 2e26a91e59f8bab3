/** Bundles the page of the dashboard: two files whose names change with their content, and the page that names them. */
import { readFileSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { build } from "esbuild";
import type { PageFile } from "../src/dashboard/page-files.ts";

const root = join(import.meta.dirname, "..");
const page = join(root, "src", "dashboard", "page");

const NOTICE = `/*! Bundled: Preact (https://preactjs.com, MIT, (c) Jason Miller), uPlot (https://github.com/leeoniya/uPlot, MIT, (c) Leon Sorokin) */`;

export async function bundleDashboard(): Promise<readonly PageFile[]> {
  const { outputFiles } = await build({
    entryPoints: { dashboard: join(page, "main.tsx") },
    outdir: page,
    entryNames: "[name]-[hash]",
    bundle: true,
    minify: true,
    write: false,
    format: "esm",
    target: "es2022",
    jsx: "automatic",
    jsxImportSource: "preact",
    legalComments: "none",
    banner: { js: NOTICE },
    // The package says that no module has side effects; the page is made of them.
    ignoreAnnotations: true,
    logLevel: "warning",
  });
  const files = outputFiles.map(({ path, text }): PageFile => ({ name: basename(path), type: typeOf(path), text }));
  const nameOf = (ending: string): string => files.find(({ name }) => name.endsWith(ending))?.name ?? "";
  const html = readFileSync(join(page, "index.html"), "utf8")
    .replace("{{css}}", nameOf(".css"))
    .replace("{{js}}", nameOf(".js"));
  return [{ name: "index.html", type: "text/html; charset=utf-8", text: html }, ...files];
}

/** Puts the bundled page where the compiled package looks for it, and beside it the licences of what is in it. */
export async function writeBundledDashboard(dist: string): Promise<void> {
  const folder = join(dist, "dashboard");
  const files = JSON.stringify(await bundleDashboard());
  writeFileSync(
    join(folder, "page-files.js"),
    `const files = ${files};\nexport const pageFiles = async () => files;\n`,
  );
  const licences = ["preact", "uplot"].map(
    (name) => `${name}\n\n${readFileSync(join(root, "node_modules", name, "LICENSE"), "utf8")}`,
  );
  writeFileSync(join(folder, "LICENSES.txt"), licences.join("\n"));
}

function typeOf(path: string): string {
  return path.endsWith(".css") ? "text/css; charset=utf-8" : "text/javascript; charset=utf-8";
}
