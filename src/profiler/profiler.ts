import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import {
  booleanOf,
  type Duration,
  durationMs,
  errorName,
  integerIn,
  knownKeys,
  type Runtime,
  textOf,
} from "../core/index.ts";
import { type CpuProfile, type CpuSource, hottest, inspectorSource } from "./cpu-profile.ts";
import { type ProcessSource, ProcessWatch, processSource } from "./process-watch.ts";
import { type CallEndEvent, type SlowCall, slowCallOf } from "./slow-call.ts";

/** What is watched: an optimizer is one. */
export interface Profiled {
  readonly line: { readonly runtime: Runtime };
}

export interface ProfilerOptions {
  /** From which duration on a call is slow. Default `"10s"`. */
  readonly slowAfter?: Duration | undefined;
  /** Slow calls that are kept, the latest. Default 100. */
  readonly keepCalls?: number | undefined;
  /**
   * Takes a processor profile of the 5 seconds after a slow call in which the own process was busy: at most one in 10
   * minutes, none while a debugger is attached. Starting one blocks the process for about 50 ms. Default `false`.
   */
  readonly cpuProfiles?: boolean | undefined;
  /** Where profiles are written, as `<id>.cpuprofile`. Default none: they are kept in memory. */
  readonly folder?: string | undefined;
  /** Profiles that are remembered, the latest; files stay. Default 5. */
  readonly keepProfiles?: number | undefined;
  /** What tells how busy the process is, and what takes profiles. Default this process. */
  readonly source?: { readonly process: ProcessSource; readonly cpu: CpuSource } | undefined;
}

export const PROFILER_DEFAULTS = {
  slowAfter: "10s",
  keepCalls: 100,
  cpuProfiles: false,
  keepProfiles: 5,
} as const satisfies ProfilerOptions;

export interface CapturedProfile {
  readonly id: string;
  /** Milliseconds since the Unix epoch. */
  readonly capturedAt: number;
  readonly durationMs: number;
  readonly bytes: number;
  /** The hottest functions with file, line and share of the work. */
  readonly top: readonly string[];
  /** The slow call it was taken after. */
  readonly callId: string | undefined;
  readonly path: string | undefined;
}

export interface Profiler {
  /** The latest slow calls, the last one first. */
  slowCalls(): readonly SlowCall[];
  /** The latest profiles, the last one first. */
  profiles(): readonly CapturedProfile[];
  /** A profile as JSON text of the format `.cpuprofile`; `undefined` when it is not kept in memory. */
  profile(id: string): string | undefined;
  /** Stops watching. What was seen can still be read. */
  close(): void;
}

const CAPTURE_MS = 5_000;
const APART_MS = 600_000;
const OPTION_KEYS = ["slowAfter", "keepCalls", "cpuProfiles", "folder", "keepProfiles", "source"];

/**
 * Keeps the slow calls with where their time went, and, where `cpuProfiles` is set, says which function was at work when
 * the own process was the cause. Slow calls to a provider are mostly waiting, and those never start a profile.
 *
 * Tells `profile.captured`. Throws `OptionError`.
 */
export function profiler({ line }: Profiled, options: ProfilerOptions = {}): Profiler {
  const { slowAfterMs, keepCalls, cpuProfiles, folder, keepProfiles } = readOptions(options);
  const { clock, events } = line.runtime;
  const watch = cpuProfiles ? new ProcessWatch(clock, options.source?.process ?? processSource()) : undefined;
  const cpu = cpuProfiles ? (options.source?.cpu ?? inspectorSource(clock)) : undefined;
  const slow: SlowCall[] = [];
  const captured: { readonly info: CapturedProfile; readonly json: string | undefined }[] = [];
  let startedAt = Number.NEGATIVE_INFINITY;
  let closed = false;
  let count = 0;

  const capture = async (source: CpuSource, callId: string | undefined): Promise<void> => {
    if ((await source.isDebugged()) || closed) return;
    const profile = await source.capture(CAPTURE_MS);
    if (profile === undefined || closed) return;
    const id = `p${clock.wall().toString(36)}-${++count}`;
    const json = JSON.stringify(profile);
    const path = folder === undefined ? undefined : await writtenTo(folder, id, json);
    const info = { id, capturedAt: clock.wall(), ...factsOf(profile, json), callId, path };
    captured.unshift({ info, json: path === undefined ? json : undefined });
    captured.length = Math.min(captured.length, keepProfiles);
    const { durationMs: lasted, bytes, top } = info;
    events.emit("profile.captured", undefined, { id, durationMs: lasted, bytes, top });
  };
  const look = (event: CallEndEvent): void => {
    if (event.durationMs < slowAfterMs) return;
    const now = clock.now();
    const busy = watch?.wasBusySince(now - event.durationMs);
    slow.unshift(slowCallOf(event, busy));
    slow.length = Math.min(slow.length, keepCalls);
    if (busy !== true || cpu === undefined || now - startedAt < APART_MS) return;
    startedAt = now;
    capture(cpu, event.callId).catch((error: unknown) => {
      events.emit("listener.failed", undefined, { listenerOf: "profiler", error: errorName(error) });
    });
  };
  const stops = [events.on("call.completed", look), events.on("call.failed", look), events.on("call.cancelled", look)];

  return {
    slowCalls: () => [...slow],
    profiles: () => captured.map(({ info }) => info),
    profile: (id) => captured.find(({ info }) => info.id === id)?.json,
    close() {
      closed = true;
      for (const stop of stops) stop();
      watch?.close();
      cpu?.close();
    },
  };
}

function factsOf(profile: CpuProfile, json: string): Pick<CapturedProfile, "durationMs" | "bytes" | "top"> {
  const durationMs = Math.round((profile.endTime - profile.startTime) / 1000);
  return { durationMs, bytes: Buffer.byteLength(json), top: hottest(profile) };
}

async function writtenTo(folder: string, id: string, json: string): Promise<string> {
  await mkdir(folder, { recursive: true });
  const path = join(folder, `${id}.cpuprofile`);
  await writeFile(path, json);
  return path;
}

function readOptions(options: ProfilerOptions) {
  knownKeys("profiler", options, OPTION_KEYS);
  const { folder } = options;
  return {
    slowAfterMs: durationMs("profiler.slowAfter", options.slowAfter ?? PROFILER_DEFAULTS.slowAfter),
    keepCalls: integerIn("profiler.keepCalls", options.keepCalls ?? PROFILER_DEFAULTS.keepCalls, 1, 10_000),
    cpuProfiles: booleanOf("profiler.cpuProfiles", options.cpuProfiles ?? PROFILER_DEFAULTS.cpuProfiles),
    keepProfiles: integerIn("profiler.keepProfiles", options.keepProfiles ?? PROFILER_DEFAULTS.keepProfiles, 1, 100),
    folder: folder === undefined ? undefined : textOf("profiler.folder", folder, 4_096),
  };
}
