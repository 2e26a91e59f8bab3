import type { ConditionReading, ConditionSource } from "./source.ts";

/** How this process does, over the time since the sample before. Shares are of 1. */
export interface ConditionSample {
  /** Of the processors that the process may use; all of its threads. */
  readonly cpu: number;
  /** Of the container's limit, or of the machine's memory. */
  readonly memory: number;
  /** Of the most that the JavaScript heap may grow to. */
  readonly heap: number;
  /** The longest that the event loop was late, in milliseconds. */
  readonly loopDelay: number;
  /** Of the time, that the event loop was at work. */
  readonly loopUtilization: number;
}

export type ConditionName = keyof ConditionSample;

/** Takes samples one after another; each tells of the time since the one before. */
export interface ConditionSampler {
  /** `now`: the clock's time in milliseconds. The first sample tells of the time since `startedAt`. */
  sample(now: number): ConditionSample;
  close(): void;
}

/** Samples what `source` tells. */
export function sampleConditions(source: ConditionSource, startedAt: number): ConditionSampler {
  let before = source.read();
  let at = startedAt;
  return {
    sample(now) {
      const reading = source.read();
      const sample = sampleBetween(before, reading, now - at);
      before = reading;
      at = now;
      return sample;
    },
    close: () => source.close?.(),
  };
}

/** What two readings `elapsedMs` apart tell of the time between them. */
function sampleBetween(before: ConditionReading, after: ConditionReading, elapsedMs: number): ConditionSample {
  const active = after.loopActiveMs - before.loopActiveMs;
  return {
    cpu: shareOf((after.cpuMicros - before.cpuMicros) / 1_000, elapsedMs * after.cpus),
    memory: shareOf(after.memoryBytes, after.memoryLimitBytes),
    heap: shareOf(after.heapBytes, after.heapLimitBytes),
    loopDelay: after.loopDelayMs,
    loopUtilization: shareOf(active, active + after.loopIdleMs - before.loopIdleMs),
  };
}

function shareOf(part: number, whole: number): number {
  return whole > 0 ? part / whole : 0;
}
