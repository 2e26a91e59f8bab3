import type { Runtime } from "../core/index.ts";
import type { Notices } from "./notices.ts";

/** What takes over what other processes have found out of a circuit; `BreakerPolicy` does. */
export interface SharedBreaker {
  adopt(key: string, told: { state: "open"; openForMs: number } | { state: "closed" }): void;
}

/** Tells others of the circuits that the breaker of this runtime opens and closes, and the breaker of theirs. */
export function shareBreaker(breaker: SharedBreaker, notices: Notices, { events }: Runtime): () => void {
  let adopting = false;
  const tell = (key: string, openForMs: number): void => {
    if (!adopting) notices.tell("circuit", key, openForMs);
  };
  const stops = [
    events.on("breaker.opened", ({ key, openForMs }) => tell(key, openForMs)),
    events.on("breaker.closed", ({ key }) => tell(key, 0)),
    notices.bulletin.on("circuit", (key, forMs) => {
      // What it tells of itself now is what it was told.
      adopting = true;
      breaker.adopt(key, forMs === 0 ? { state: "closed" } : { state: "open", openForMs: Math.max(1, forMs) });
      adopting = false;
    }),
  ];
  return () => {
    for (const stop of stops) stop();
  };
}
