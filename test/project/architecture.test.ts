import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { describe, expect, it } from "vitest";

const SRC = resolve(import.meta.dirname, "../../src");

/** What each room may import, besides itself. A longer path is a more special room. */
const LADDER: Readonly<Record<string, readonly string[]>> = {
  core: [],
  charts: ["core"],
  compression: ["core"],
  tokens: ["core"],
  conditions: ["core"],
  policies: ["core", "compression", "tokens", "conditions"],
  redis: ["core"],
  sqlite: ["core"],
  stores: ["core", "redis", "sqlite"],
  providers: ["core"],
  monitor: ["core"],
  clients: ["core", "providers"],
  testing: ["core", "providers", "stores"],
  // The files at the top put the rooms together.
  "": [
    "cluster",
    "core",
    "compression",
    "policies",
    "stores",
    "providers",
    "monitor",
    "clients",
    "conditions",
    "lint",
    "system",
    "tokens",
    "warming",
    "wrappers",
    "",
  ],
  // What builds on the optimizer's public face.
  lazy: ["core", ""],
  warming: ["core", ""],
  wrappers: ["core", ""],
  lab: ["core", "charts", "monitor", "policies", "providers", "stores", "testing", ""],
  cluster: ["core", "redis"],
  // What builds on the optimizer's events and its monitor.
  advisor: ["core", "monitor", ""],
  alerting: ["core", "monitor", ""],
  "call-log": ["core", "monitor", "sqlite", ""],
  dashboard: ["core", "monitor", ""],
  exporters: ["core", "monitor", ""],
  http: ["core", "dashboard", "exporters", "monitor", ""],
  profiler: ["core", "monitor", "system", ""],
  reports: ["core", "charts", "monitor", ""],
  system: ["core", "conditions", "monitor"],
  tuning: ["core", "monitor", "reports", ""],
  lint: ["core", "policies", "stores", ""],
};

// Rooms whose folders are neighbours and may not know one another.
const APART = ["policies"];

interface Import {
  readonly from: string;
  readonly to: string;
}

const files = readdirSync(SRC, { recursive: true, encoding: "utf8" }).filter((file) => file.endsWith(".ts"));

function importsOf(file: string): string[] {
  const text = readFileSync(join(SRC, file), "utf8");
  return [...text.matchAll(/(?:from|import)\s*\(?\s*"([^"]+)"/g)].map((match) => match[1] as string);
}

const imports: Import[] = files.flatMap((file) =>
  importsOf(file)
    .filter((specifier) => specifier.startsWith("."))
    .map((specifier) => ({ from: file, to: relative(SRC, resolve(SRC, dirname(file), specifier)) })),
);

const roomOf = (file: string): string => (file.includes("/") ? (file.split("/")[0] as string) : "");
const folderOf = (file: string): string => dirname(file);

describe("the rooms of the house", () => {
  it("are all listed in the ladder", () => {
    expect([...new Set(files.map(roomOf))].filter((room) => LADDER[room] === undefined)).toEqual([]);
    expect(imports.length).toBeGreaterThan(20);
  });

  it("import only downwards", () => {
    const upwards = imports.filter(
      ({ from, to }) => roomOf(from) !== roomOf(to) && !LADDER[roomOf(from)]?.includes(roomOf(to)),
    );
    expect(upwards).toEqual([]);
  });

  it("keep policies from knowing one another", () => {
    const across = imports.filter(
      ({ from, to }) =>
        APART.includes(roomOf(from)) &&
        roomOf(from) === roomOf(to) &&
        folderOf(from) !== folderOf(to) &&
        from !== "policies/index.ts",
    );
    expect(across).toEqual([]);
  });

  it("are entered by their door", () => {
    const through = imports.filter(({ from, to }) => {
      if (roomOf(from) === roomOf(to) || roomOf(to) === "") return false;
      const doors = roomOf(to) === "policies" ? [`${folderOf(to)}/index.ts`, "policies/index.ts"] : doorsOf(to);
      return !doors.includes(to);
    });
    expect(through).toEqual([]);
  });

  it("have no circle of imports", () => {
    expect(circles()).toEqual([]);
  });

  it("leave time and chance to the clock and the random source", () => {
    const allowed = new Set(["core/clock.ts", "core/random.ts"]);
    const offenders = files
      .filter((file) => /^(core|policies|monitor|stores)\//.test(file) && !allowed.has(file))
      .filter((file) =>
        /\b(Date\.now|new Date\(\)|performance\.now|setTimeout|setInterval|Math\.random)\b/.test(withoutComments(file)),
      );
    expect(offenders).toEqual([]);
  });

  it("read the network, the environment and the console only where that is the job", () => {
    const offenders = files
      .filter((file) => /^(core|policies|monitor|providers)\//.test(file))
      .filter((file) => /\b(process\.env|console\.|globalThis\.fetch|[^.\w]fetch\()/.test(withoutComments(file)));
    expect(offenders).toEqual([]);
  });
});

// A room of several parts (one provider, one store) has a door for each beside its own.
function doorsOf(file: string): string[] {
  return [
    `${roomOf(file)}/index.ts`,
    `${folderOf(file)}/index.ts`,
    ...(roomOf(file) === "providers" ? ["providers/sse.ts"] : []),
  ];
}

function withoutComments(file: string): string {
  return readFileSync(join(SRC, file), "utf8").replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, "");
}

// Type-only imports vanish when compiled and cannot make a circle that matters at run time.
function circles(): string[][] {
  const graph = new Map<string, string[]>();
  for (const file of files) {
    const text = readFileSync(join(SRC, file), "utf8");
    const targets = [...text.matchAll(/^(?:import|export)\s+(?!type\b)([^;]*?)from\s+"(\.[^"]+)"/gms)]
      .filter(([, names]) => !onlyTypes(names as string))
      .map(([, , specifier]) => relative(SRC, resolve(SRC, dirname(file), specifier as string)));
    graph.set(file, targets);
  }
  const found: string[][] = [];
  const done = new Set<string>();
  const walk = (file: string, path: string[]): void => {
    const at = path.indexOf(file);
    if (at >= 0) {
      found.push([...path.slice(at), file]);
      return;
    }
    if (done.has(file)) return;
    for (const target of graph.get(file) ?? []) walk(target, [...path, file]);
    done.add(file);
  };
  for (const file of files) walk(file, []);
  return found;
}

function onlyTypes(names: string): boolean {
  const braces = /\{([^}]*)\}/.exec(names);
  if (braces === null) return false;
  const parts = (braces[1] as string).split(",").map((part) => part.trim());
  return parts.filter((part) => part !== "").every((part) => part.startsWith("type "));
}
