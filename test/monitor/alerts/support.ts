import type { EventMap, EventType, FaultKind, Runtime } from "../../../src/core/index.ts";
import type { VirtualClock } from "../../../src/testing/virtual-clock.ts";
import { aCall, answered, failed } from "../support.ts";

/** Does something every so many seconds, for so many seconds. */
export async function steps(
  clock: VirtualClock,
  seconds: number,
  every: number,
  act: (second: number) => void,
): Promise<void> {
  for (let second = 0; second < seconds; second += every) {
    act(second);
    await clock.advance(every * 1000);
  }
}

/** Every event of one type from now on. */
export function heard<T extends EventType>({ events }: Runtime, type: T): EventMap[T][] {
  const all: EventMap[T][] = [];
  events.on(type, (event) => {
    all.push(event as EventMap[T]);
  });
  return all;
}

/** Tells of a first attempt, and of the call that it was all of. */
export function called(
  runtime: Runtime,
  { model = "m", provider = "test", error = undefined as FaultKind | undefined } = {},
): void {
  const call = aCall(runtime, model, provider);
  const attempt = { attempt: 1, kind: "first", durationMs: 50, usage: undefined } as const;
  if (error === undefined) {
    const end = { ...attempt, firstContentMs: undefined, status: 200, responseModel: undefined };
    runtime.events.emit("attempt.completed", call, end);
    answered(runtime, { model, provider, durationMs: 50 });
  } else {
    const end = { ...attempt, errorType: error, status: undefined, retryAfterMs: undefined };
    runtime.events.emit("attempt.failed", call, end);
    failed(runtime, error, 50, model);
  }
}
