import { type Clock, systemClock } from "./clock.ts";
import { EventBus } from "./events.ts";
import { Ledger } from "./ledger.ts";
import { type Random, systemRandom } from "./random.ts";

/** What the policies of one line share: time, chance, events and the ledger. */
export interface Runtime {
  readonly clock: Clock;
  readonly random: Random;
  readonly events: EventBus;
  readonly ledger: Ledger;
}

/** A runtime of its own, in real time unless told otherwise. */
export function createRuntime(parts: { clock?: Clock; random?: Random } = {}): Runtime {
  const clock = parts.clock ?? systemClock;
  return { clock, random: parts.random ?? systemRandom, events: new EventBus(clock), ledger: new Ledger() };
}

let shared: Runtime | undefined;

/** The runtime of policies that were given none: one a process, in real time. */
export function defaultRuntime(): Runtime {
  shared ??= createRuntime();
  return shared;
}
