import { basename } from "node:path";
import { fileURLToPath } from "node:url";
import type { Clock, Timer } from "../core/index.ts";

/** A processor profile in the format of V8 (`.cpuprofile`), which Chromium and editors open. */
export interface CpuProfile {
  readonly nodes: readonly ProfileNode[];
  readonly startTime: number;
  readonly endTime: number;
}

interface ProfileNode {
  readonly id: number;
  readonly hitCount?: number | undefined;
  readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number };
}

/** Takes processor profiles; tests may give one of their own. */
export interface CpuSource {
  /** Whether a debugger is attached: then none is taken. */
  isDebugged(): boolean | Promise<boolean>;
  /** Profiles this process for `ms`. Resolves to `undefined` when it was cancelled. */
  capture(ms: number): Promise<CpuProfile | undefined>;
  close(): void;
}

// The cost of sampling, 1 to 4 % of the processor at the default of 1 ms, is a tenth of that.
const SAMPLING_MICROS = 10_000;
const TOP = 5;
// What V8 calls time that no function of the program took.
const NOT_WORK = new Set(["(idle)", "(root)", "(program)"]);

/** By Node's own inspector, in this process. */
export function inspectorSource(clock: Clock): CpuSource {
  let timer: Timer | undefined;
  let end: (() => void) | undefined;
  let closed = false;
  return {
    isDebugged: async () => (await import("node:inspector/promises")).url() !== undefined,
    async capture(ms) {
      const { Session } = await import("node:inspector/promises");
      const session = new Session();
      session.connect();
      try {
        await session.post("Profiler.enable");
        await session.post("Profiler.setSamplingInterval", { interval: SAMPLING_MICROS });
        await session.post("Profiler.start");
        const isWhole = await new Promise<boolean>((resolve) => {
          end = () => resolve(false);
          if (closed) end();
          else timer = clock.background(ms, () => resolve(true));
        });
        const { profile } = await session.post("Profiler.stop");
        return isWhole ? profile : undefined;
      } finally {
        session.disconnect();
      }
    },
    close() {
      closed = true;
      timer?.cancel();
      end?.();
    },
  };
}

/** The functions that took the most of the work, with file and line and their share of it; the hottest first. */
export function hottest({ nodes }: CpuProfile): string[] {
  const hits = new Map<string, number>();
  let all = 0;
  for (const { hitCount = 0, callFrame } of nodes) {
    if (hitCount === 0 || NOT_WORK.has(callFrame.functionName)) continue;
    all += hitCount;
    const name = nameOf(callFrame);
    hits.set(name, (hits.get(name) ?? 0) + hitCount);
  }
  return [...hits]
    .toSorted(([, a], [, b]) => b - a)
    .slice(0, TOP)
    .map(([name, count]) => `${name} ${Math.round((100 * count) / all)} %`);
}

function nameOf({ functionName, url, lineNumber }: ProfileNode["callFrame"]): string {
  const name = functionName === "" ? "(anonymous)" : functionName;
  if (url === "") return name;
  // Only the file's name: its folders are nobody's business.
  const file = url.startsWith("file:") ? basename(fileURLToPath(url)) : url.startsWith("node:") ? url : basename(url);
  return `${name} (${file}:${lineNumber + 1})`;
}
