import type { BreakwaterEvent } from "../core/index.ts";

/** Where the time of a call went, in milliseconds. The parts add up to its duration. */
export interface Breakdown {
  readonly queue: number;
  readonly throttle: number;
  readonly rateLimit: number;
  readonly backoff: number;
  /** At the provider, until the first content; of an answer that is not streamed, all of its time there. */
  readonly firstChunk: number;
  /** At the provider, from the first content to the end. */
  readonly stream: number;
  /** Everything else: the line's own work, the cache, and the reader where it is slow. */
  readonly own: number;
}

/** A call that took long, without anything of what was said. */
export interface SlowCall {
  readonly callId: string | undefined;
  /** When it ended, milliseconds since the Unix epoch. */
  readonly endedAt: number;
  readonly op: string | undefined;
  readonly provider: string | undefined;
  readonly model: string | undefined;
  readonly outcome: "answered" | "failed" | "cancelled";
  readonly errorType: string | undefined;
  readonly attempts: number;
  readonly durationMs: number;
  readonly breakdown: Breakdown;
  /** The largest part. */
  readonly mostly: keyof Breakdown;
  /** Whether the own process was busy meanwhile; `undefined` where that is not watched. */
  readonly processBusy: boolean | undefined;
}

export type CallEndEvent = BreakwaterEvent<"call.completed" | "call.failed" | "call.cancelled">;

const OUTCOMES = {
  "call.completed": "answered",
  "call.failed": "failed",
  "call.cancelled": "cancelled",
} as const;

export function slowCallOf(event: CallEndEvent, processBusy: boolean | undefined): SlowCall {
  const breakdown = breakdownOf(event);
  return {
    callId: event.callId,
    endedAt: event.ts,
    op: event.op,
    provider: event.provider,
    model: event.model,
    outcome: OUTCOMES[event.type],
    errorType: event.type === "call.failed" ? event.errorType : undefined,
    attempts: event.attempts,
    durationMs: event.durationMs,
    breakdown,
    mostly: largestOf(breakdown),
    processBusy,
  };
}

function breakdownOf({ durationMs, providerMs, waits, firstChunkMs }: CallEndEvent): Breakdown {
  const { queue, throttle, rateLimit, backoff } = waits;
  const waited = queue + throttle + rateLimit + backoff;
  const stream = firstChunkMs === undefined ? 0 : Math.min(providerMs, Math.max(0, durationMs - firstChunkMs));
  return {
    ...{ queue, throttle, rateLimit, backoff },
    firstChunk: providerMs - stream,
    stream,
    own: Math.max(0, durationMs - providerMs - waited),
  };
}

function largestOf(breakdown: Breakdown): keyof Breakdown {
  let largest: keyof Breakdown = "own";
  for (const part of Object.keys(breakdown) as (keyof Breakdown)[]) {
    if (breakdown[part] > breakdown[largest]) largest = part;
  }
  return largest;
}
