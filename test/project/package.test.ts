import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";
import { describe, expect, it } from "vitest";

const ROOT = resolve(import.meta.dirname, "../..");
const KILOBYTE = 1024;

interface Manifest {
  readonly dependencies: Readonly<Record<string, string>>;
  readonly peerDependencies: Readonly<Record<string, string>>;
  readonly peerDependenciesMeta: Readonly<Record<string, { readonly optional?: boolean }>>;
}

const manifest = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as Manifest;

async function bundledBytes(code: string): Promise<number> {
  const result = await build({
    stdin: { contents: code, resolveDir: join(ROOT, "src"), loader: "ts" },
    bundle: true,
    minify: true,
    write: false,
    format: "esm",
    platform: "node",
    external: Object.keys(manifest.peerDependencies),
  });
  return gzipSync(result.outputFiles[0]?.contents ?? new Uint8Array()).byteLength;
}

describe("the package", () => {
  it("depends on one small package, and on peers only where the user has them", () => {
    expect(Object.keys(manifest.dependencies)).toEqual(["eventemitter3"]);
    for (const peer of Object.keys(manifest.peerDependencies)) {
      expect(manifest.peerDependenciesMeta[peer], peer).toEqual({ optional: true });
    }
  });

  it("stays small as a whole, and a line of one policy costs a fraction of that", async () => {
    const whole = await bundledBytes('export * from "./index.ts";');
    const onePolicy = await bundledBytes('export { pipeline, retry } from "./index.ts";');
    expect(whole).toBeLessThan(176 * KILOBYTE);
    expect(onePolicy).toBeLessThan(whole / 4);
  });

  it("loads without any optional peer", () => {
    const code = `
      import { registerHooks } from "node:module";
      const peers = ${JSON.stringify(Object.keys(manifest.peerDependencies))};
      registerHooks({ resolve(name, context, next) {
        if (peers.some((peer) => name === peer || name.startsWith(peer + "/"))) throw new Error("loaded the peer " + name);
        return next(name, context);
      } });
      const { createOptimizer } = await import(${JSON.stringify(join(ROOT, "src", "index.ts"))});
      const optimizer = createOptimizer();
      console.log(await optimizer.call({ model: "m", input: "x" }, () => "answer"));
      await optimizer.close();
    `;
    const output = execFileSync(process.execPath, ["--input-type=module", "-e", code], { cwd: ROOT, encoding: "utf8" });
    expect(output.trim()).toBe("answer");
  });
});
