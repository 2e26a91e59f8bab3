import type { Call } from "./call.ts";
import { aborted, type Fault } from "./fault.ts";
import { type ChunkSource, ChunkStream } from "./reply.ts";
import type { Runtime } from "./runtime.ts";

/**
 * Waits for a call: until the time has passed or the caller gives up, whichever is first.
 * Resolves to the fault in the second case. No timer or listener is left behind.
 */
export function sleep({ clock }: Runtime, call: Call, ms: number): Promise<Fault | undefined> {
  if (call.cancellation.cancelled) return Promise.resolve(aborted(call.cancellation.reason));
  if (ms <= 0) return Promise.resolve(undefined);
  return new Promise((resolve) => {
    const timer = clock.timer(ms, () => {
      off();
      resolve(undefined);
    });
    const off = call.cancellation.onCancel((reason) => {
      timer.cancel();
      resolve(aborted(reason));
    });
  });
}

/** A stream that ends, and cancels its source, when the call is cancelled; also while nobody pulls. */
export function streamFor(call: Call, source: ChunkSource): ChunkStream {
  const stream = new ChunkStream(source);
  const off = call.cancellation.onCancel((reason) => stream.fail(aborted(reason)));
  stream.settled.subscribe(off);
  return stream;
}

/** Lets everything else have its turn: for work in many small steps that never waits by itself. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
