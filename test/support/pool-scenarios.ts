import type { Runtime } from "../../src/core/index.ts";
import { type PoolPolicy, pool } from "../../src/policies/pool/index.ts";
import { type Load, runLoad, type Served, type Source, serviceMs } from "./pool-load.ts";

export const SLOTS = 32;
const MEASURED_FROM_MS = 60_000;

const CHAT = { inputTokens: 400, outputTokens: 200 };
const LONG = { inputTokens: 4_000, outputTokens: 200 };

/** Calls a second that all slots together can answer. */
const CAPACITY = (SLOTS * 1_000) / serviceMs({ name: "", callsPerSecond: 0, ...CHAT });

/** Three times what the pool can answer, a tenth of it urgent. */
export const URGENT: Source = { name: "urgent", priority: "high", callsPerSecond: 0.3 * CAPACITY, ...CHAT };
export const CROWD: Source = { name: "crowd", priority: "low", callsPerSecond: 2.7 * CAPACITY, ...CHAT };

/**
 * Ten tenants: one sends 50 times what the others do, one has prompts ten times as long. `load` is what each of the
 * others wants, as a part of a tenth of the pool.
 */
export function tenTenants(load: number): readonly Source[] {
  const rate = (load * CAPACITY) / 10;
  const others = Array.from({ length: 8 }, (_, index) => ({ name: `tenant${index}`, callsPerSecond: rate, ...CHAT }));
  return [
    ...others,
    { name: "crowd", callsPerSecond: (50 * CAPACITY) / 10, ...CHAT },
    { name: "long", callsPerSecond: Math.max(rate, CAPACITY / 10), ...LONG },
  ];
}

/** The ordinary ones of ten tenants. */
export function ordinary(sources: readonly Source[]): readonly Source[] {
  return sources.filter(({ name }) => name.startsWith("tenant"));
}

export function poolOf(maxQueue: number, concurrency = SLOTS): (runtime: Runtime) => PoolPolicy {
  return (runtime) => pool({ concurrency, maxQueue }, runtime);
}

/** The same tenant with a tenth of the pool to itself. */
export async function alone(source: Source, seconds: number, seed: number): Promise<readonly Served[]> {
  return (await runLoad([source], poolOf(5_000, Math.floor(SLOTS / 10)), seconds, seed)).calls.filter(warm);
}

export function warm({ arrivedAt }: Served): boolean {
  return arrivedAt >= MEASURED_FROM_MS;
}

/** From the arrival to the end of the answer, of the calls that have one. */
export function answerTimes(calls: readonly Served[]): number[] {
  return calls.flatMap(({ arrivedAt, endedAt }) => (endedAt === undefined ? [] : [endedAt - arrivedAt]));
}

/** What each source was served in each minute, in weighted tokens. */
export function servicePerMinute({ calls }: Load, sources: readonly Source[], minutes: number): number[][] {
  return Array.from({ length: minutes - 1 }, (_, index) => {
    const from = (index + 1) * 60_000;
    return sources.map((source) =>
      costOf(calls.filter((call) => call.source === source && within(call.endedAt, from, from + 60_000))),
    );
  });
}

/** The most by which what two of the sources were admitted ever differed, in the largest cost of one call. */
export function serviceGap({ calls }: Load, sources: readonly Source[]): number {
  const admitted = calls
    .filter(({ admittedAt }) => admittedAt !== undefined && admittedAt >= MEASURED_FROM_MS)
    .toSorted((a, b) => (a.admittedAt ?? 0) - (b.admittedAt ?? 0));
  const served = new Map(sources.map(({ name }) => [name, 0]));
  let gap = 0;
  for (const { source, cost } of admitted) {
    served.set(source.name, (served.get(source.name) ?? 0) + cost);
    gap = Math.max(gap, Math.max(...served.values()) - Math.min(...served.values()));
  }
  return gap / Math.max(...admitted.map(({ cost }) => cost));
}

function costOf(calls: readonly Served[]): number {
  return calls.reduce((total, { cost }) => total + cost, 0);
}

function within(time: number | undefined, from: number, to: number): boolean {
  return time !== undefined && time >= from && time < to;
}
