import { type EventBus, errorName } from "../core/index.ts";

/** What a user hands in must not keep others from their metrics, nor end the process from within a timer. */
export function isolated(events: EventBus, observe: () => unknown): () => void {
  const failed = (error: unknown): void =>
    events.emit("listener.failed", undefined, { listenerOf: "monitor.observe", error: errorName(error) });
  return () => {
    try {
      const result = observe();
      if (result instanceof Promise) result.catch(failed);
    } catch (error) {
      failed(error);
    }
  };
}
