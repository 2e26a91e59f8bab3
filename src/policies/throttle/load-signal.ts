import type { Sample } from "./signal.ts";
import { Slowness, type SlownessRules } from "./slowness.ts";

// Having stayed so far down for as many calls' time without answers becoming this much faster, the load is not ours.
const RETREAT = 0.7;
const RETREAT_CALLS = 2;
const RELIEF = 0.9;

/** A way down that is under way. */
interface Retreat {
  /** The limit at which it began. */
  readonly from: number;
  /** The worst that was seen on it. */
  worst: number;
  /** When it had gone far enough to tell whether it helps. */
  farSince: number | undefined;
}

/**
 * One sign of the provider's load: a time that grows when it has too much work. Of `calls` whose time it is,
 * `calls * (1 - best / observed)` are queueing (Little's law).
 */
export class LoadSignal {
  readonly #times: Slowness;
  #slowness: number | undefined;
  #measured = 0;
  #retreat: Retreat | undefined;

  constructor(rules: SlownessRules) {
    this.#times = new Slowness(rules);
  }

  /** As last read: 1 for as fast as ever. `undefined` before the first reading. */
  get slowness(): number | undefined {
    return this.#slowness;
  }

  get isKnown(): boolean {
    return this.#times.isKnown;
  }

  /** Samples since the last window. */
  get measured(): number {
    return this.#measured;
  }

  add(sample: Sample | undefined): void {
    if (sample === undefined) return;
    this.#measured++;
    this.#times.add(sample);
  }

  /** Reads the window. Says whether there was enough in it; if not, what was read before still holds. */
  read(): boolean {
    const slowness = this.#times.read();
    if (slowness !== undefined) this.#slowness = slowness;
    return slowness !== undefined;
  }

  /** How many of `calls` are queueing at the provider. */
  queueOf(calls: number): number {
    return calls * (1 - 1 / (this.#slowness ?? 1));
  }

  beginWindow(): void {
    this.#measured = 0;
  }

  endRetreat(): void {
    this.#retreat = undefined;
  }

  /**
   * Fewer calls of ours make answers faster if it is our calls that make them slow. If not, the provider itself has
   * become slower or others keep it busy, and the limit falls for nothing. Gives the limit at which that way down began.
   */
  retreatedInVainFrom(now: number, limit: number, callMs: number): number | undefined {
    const slowness = this.#slowness ?? 1;
    this.#retreat ??= { from: limit, worst: slowness, farSince: undefined };
    const retreat = this.#retreat;
    retreat.worst = Math.max(retreat.worst, slowness);
    if (limit > retreat.from * RETREAT) return undefined;
    retreat.farSince ??= now;
    if (now - retreat.farSince < RETREAT_CALLS * callMs) return undefined;
    if (slowness < retreat.worst * RELIEF) return undefined;
    return retreat.from;
  }

  /** Takes what is now for the best there is. */
  accept(): void {
    this.#times.accept();
    this.#slowness = 1;
    this.#retreat = undefined;
  }
}
