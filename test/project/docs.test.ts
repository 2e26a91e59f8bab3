import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { describe, expect, it } from "vitest";

const ROOT = resolve(import.meta.dirname, "../..");
const SNIPPETS = join(ROOT, ".cache", "snippets");

const pages = ["README.md", "CONTRIBUTING.md", ...readdirSync(join(ROOT, "docs")).map((page) => `docs/${page}`)].filter(
  (page) => page.endsWith(".md"),
);

function snippetsOf(page: string): string[] {
  return [...readFileSync(join(ROOT, page), "utf8").matchAll(/^```ts\n([\s\S]*?)^```/gm)].map(
    (match) => match[1] as string,
  );
}

/** Names of the chapters of a page, as links to them have them. */
function chaptersOf(page: string): string[] {
  const prose = readFileSync(join(ROOT, page), "utf8").replace(/^```[\s\S]*?^```/gm, "");
  return [...prose.matchAll(/^#+ (.*)$/gm)].map(([, title = ""]) =>
    title
      .toLowerCase()
      .replace(/[^\p{L}\p{N}_\- ]/gu, "")
      .replaceAll(" ", "-"),
  );
}

describe("the documentation", () => {
  it("has code that type-checks against the public API", { timeout: 120_000 }, () => {
    rmSync(SNIPPETS, { recursive: true, force: true });
    mkdirSync(SNIPPETS, { recursive: true });
    let count = 0;
    for (const page of pages) {
      for (const [index, code] of snippetsOf(page).entries()) {
        const name = `${page.replaceAll("/", "-").replace(/\.md$/, "")}-${index + 1}.ts`;
        // Every block is a module of its own, so that blocks may use the same names.
        writeFileSync(join(SNIPPETS, name), `${code}\nexport {};\n`);
        count++;
      }
    }
    expect(count).toBeGreaterThan(20);
    writeFileSync(
      join(SNIPPETS, "tsconfig.json"),
      JSON.stringify({
        extends: "../../tsconfig.json",
        compilerOptions: { noUnusedLocals: false, noUnusedParameters: false },
        include: ["./*.ts"],
      }),
    );
    expect(typeErrors()).toBe("");
  });

  it("has links to chapters that are there", () => {
    const broken = pages.flatMap((page) =>
      [...readFileSync(join(ROOT, page), "utf8").matchAll(/\]\((?!https?:|mailto:)([^)#\s]*)#([^)\s]+)\)/g)]
        .map(([, file = "", chapter = ""]) => ({ target: file === "" ? page : join(dirname(page), file), chapter }))
        .filter(({ target, chapter }) => pages.includes(target) && !chaptersOf(target).includes(chapter))
        .map(({ target, chapter }) => `${page} -> ${target}#${chapter}`),
    );
    expect(broken).toEqual([]);
  });

  it("has links that lead somewhere", () => {
    const broken = pages.flatMap((page) =>
      [...readFileSync(join(ROOT, page), "utf8").matchAll(/\]\((?!https?:|#|mailto:)([^)#\s]+)(?:#[^)]*)?\)/g)]
        .map((match) => resolve(ROOT, dirname(page), match[1] as string))
        .filter((target) => !existsSync(target))
        .map((target) => `${page} -> ${relative(ROOT, target)}`),
    );
    expect(broken).toEqual([]);
  });
});

function typeErrors(): string {
  try {
    execFileSync(join(ROOT, "node_modules", ".bin", "tsc"), ["-p", SNIPPETS], { cwd: ROOT, encoding: "utf8" });
    return "";
  } catch (error) {
    return String((error as { stdout?: string }).stdout);
  }
}
