/** Median microseconds of one `run()`, over rounds of sequential awaits; rounds of all candidates take turns. */
export async function medianMicroseconds(
  candidates: Readonly<Record<string, { readonly calls: number; readonly run: (n: number) => Promise<unknown> }>>,
  rounds = 9,
): Promise<Record<string, number>> {
  const times: Record<string, number[]> = {};
  let n = 0;
  for (const [name, { calls, run }] of Object.entries(candidates)) {
    times[name] = [];
    for (let warm = 0; warm < Math.min(calls, 2000); warm++) await run(n++);
  }
  for (let round = 0; round < rounds; round++) {
    for (const [name, { calls, run }] of Object.entries(candidates)) {
      const startedAt = performance.now();
      for (let call = 0; call < calls; call++) await run(n++);
      times[name]?.push(((performance.now() - startedAt) * 1000) / calls);
    }
  }
  return Object.fromEntries(Object.entries(times).map(([name, values]) => [name, median(values)]));
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}
