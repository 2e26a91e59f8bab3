import { monitorEventLoopDelay } from "node:perf_hooks";

type IntervalHistogram = ReturnType<typeof monitorEventLoopDelay>;

/** How late the event loop was since the reading before, in seconds. */
export interface LoopDelay {
  readonly min: number;
  readonly max: number;
  readonly mean: number;
  readonly stddev: number;
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
}

export interface LoopDelaySource {
  /** What was since the reading before; `undefined` when nothing was measured. */
  read(): LoopDelay | undefined;
  close(): void;
}

const RESOLUTION_MS = 20;
const NS = 1e9;

/**
 * The event loop's delay. Where Node can (24.x since August 2026, 26.5), each turn of the loop is measured, at next to no
 * cost. Elsewhere a timer every 20 ms is watched, and what it tells includes those 20 ms: they are taken off. Neither
 * keeps the process alive.
 */
export function watchLoopDelay(options: { readonly perIteration?: boolean } = {}): LoopDelaySource {
  const { histogram, perIteration } = histogramOf(options.perIteration ?? true);
  const included = perIteration ? 0 : RESOLUTION_MS / 1000;
  // Begun in the middle of a turn, the first measurement would be that of a wait.
  const begin = setImmediate(() => void histogram.enable()).unref();
  return {
    read() {
      if (histogram.count === 0) return undefined;
      const seconds = (ns: number): number => Math.max(0, ns / NS - included);
      const delay = {
        min: seconds(histogram.min),
        max: seconds(histogram.max),
        mean: seconds(histogram.mean),
        stddev: histogram.stddev / NS,
        p50: seconds(histogram.percentile(50)),
        p90: seconds(histogram.percentile(90)),
        p99: seconds(histogram.percentile(99)),
      };
      histogram.reset();
      return delay;
    },
    close() {
      clearImmediate(begin);
      histogram.disable();
    },
  };
}

// A Node that does not know the option does not look at it either.
function histogramOf(wanted: boolean): { readonly histogram: IntervalHistogram; readonly perIteration: boolean } {
  let perIteration = false;
  const histogram = monitorEventLoopDelay({
    resolution: RESOLUTION_MS,
    get samplePerIteration() {
      perIteration = wanted;
      return wanted;
    },
  });
  return { histogram, perIteration };
}
