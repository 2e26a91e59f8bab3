/** `npm run build`: compiles `src` to `dist` as ESM with declarations, and bundles the dashboard's page. */
import { spawnSync } from "node:child_process";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { writeBundledDashboard } from "./bundle-dashboard.ts";

const root = join(import.meta.dirname, "..");
rmSync(join(root, "dist"), { recursive: true, force: true });
const { status } = spawnSync("tsc", ["-p", "tsconfig.build.json"], { cwd: root, stdio: "inherit" });
if (status === 0) await writeBundledDashboard(join(root, "dist"));
process.exit(status ?? 1);
