import { fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import type { LoadReport, LoadSettings } from "./load-child.ts";

/** Several processes that share a quota, and what they tell. */
export interface Load {
  /** Times at which calls were let through, in order. */
  readonly admitted: number[];
  /** How many of them by process. */
  readonly admittedBy: readonly number[];
  /** How long calls have waited, with when they were let through. */
  readonly waits: { readonly at: number; readonly ms: number }[];
  /** Calls that wait now, by process. */
  readonly waiting: readonly number[];
  /** Whether each process has the server now, and how many processes it counts. */
  readonly central: readonly boolean[];
  readonly processes: readonly number[];
  /** Why processes have lost the server, one entry each time. */
  readonly lost: readonly string[];
  /** Calls that were let through between two times. */
  countBetween(from: number, to: number): number;
  /** The wait that so great a share of the calls between two times did not exceed. */
  waitBetween(from: number, to: number, quantile: number): number;
  stop(): Promise<void>;
}

const CHILD = join(import.meta.dirname, "load-child.ts");

/** What a process is told. */
export type LoadOrder = "go" | "stop";

/** Starts the processes, each of `program`, and, when all are ready, their calls. */
export async function startLoad(all: readonly LoadSettings[], program = CHILD): Promise<Load> {
  const admitted: number[] = [];
  const waits: { at: number; ms: number }[] = [];
  const admittedBy = all.map(() => 0);
  const waiting = all.map(() => 0);
  const central = all.map(() => false);
  const processes = all.map(() => 0);
  const lost: string[] = [];
  const children = all.map((settings, index) => {
    const child = fork(program, [JSON.stringify(settings)], { stdio: "inherit" });
    child.on("message", (message) => {
      const report = message as LoadReport;
      admitted.push(...report.admitted);
      for (const [n, at] of report.admitted.entries()) waits.push({ at, ms: report.waits[n] as number });
      lost.push(...report.lost);
      admittedBy[index] = (admittedBy[index] as number) + report.admitted.length;
      waiting[index] = report.waiting;
      central[index] = report.central;
      processes[index] = report.processes;
    });
    return child;
  });
  await Promise.all(children.map((child) => once(child, "message")));
  for (const child of children) child.send("go");
  return {
    admitted,
    admittedBy,
    waits,
    waiting,
    central,
    processes,
    lost,
    countBetween: (from, to) => admitted.filter((at) => at >= from && at < to).length,
    waitBetween: (from, to, quantile) => {
      const between = waits.filter(({ at }) => at >= from && at < to).map(({ ms }) => ms);
      between.sort((a, b) => a - b);
      return between[Math.min(between.length - 1, Math.floor(between.length * quantile))] ?? 0;
    },
    stop: async () => {
      await Promise.all(
        children.map(async (child) => {
          if (child.exitCode !== null) return;
          const ended = once(child, "exit");
          // It tells what it has not told yet, and goes.
          if (child.connected) child.send("stop");
          await ended;
        }),
      );
      admitted.sort((a, b) => a - b);
    },
  };
}

/** Eight processes whose clocks differ by up to two minutes; the first has seven tenths of the calls. */
export function skewedLoad(url: string, namespace: string, perSecond: number, seed = 1): LoadSettings[] {
  const demand = 2 * perSecond;
  return Array.from({ length: 8 }, (_, index) => ({
    url,
    namespace,
    requestsPerMinute: perSecond * 60,
    callsPerSecond: index === 0 ? demand * 0.7 : (demand * 0.3) / 7,
    clockOffMs: -60_000 + (index * 120_000) / 7,
    seed: seed * 100 + index,
  }));
}

/** The most that was let through in any window. */
export function mostIn(windowMs: number, times: readonly number[]): number {
  let most = 0;
  let first = 0;
  for (const [index, at] of times.entries()) {
    while ((times[first] as number) <= at - windowMs) first++;
    most = Math.max(most, index - first + 1);
  }
  return most;
}

/** How far any window, of whatever length, went beyond a rate per millisecond, in calls. */
export function mostBeyond(perMs: number, times: readonly number[]): number {
  let most = 0;
  let lowest = Number.POSITIVE_INFINITY;
  for (const [index, at] of times.entries()) {
    lowest = Math.min(lowest, index - perMs * at);
    most = Math.max(most, index + 1 - perMs * at - lowest);
  }
  return most;
}

/** Runs of scripts that a server has seen. */
export async function scriptRuns(client: { sendCommand(command: string[]): Promise<unknown> }): Promise<number> {
  const stats = String(await client.sendCommand(["INFO", "commandstats"]));
  const runs = [...stats.matchAll(/cmdstat_eval(?:sha)?:calls=(\d+)/g)].map(([, count]) => Number(count));
  return runs.reduce((sum, count) => sum + count, 0);
}
