import { type Random, seededRandom } from "../../core/index.ts";

/** Draws of a scenario. */
export class Dice {
  readonly random: Random;

  constructor(seed: number) {
    this.random = seededRandom(seed);
  }

  /** True with that probability. */
  chance(probability: number): boolean {
    return this.random() < probability;
  }

  /** A whole number from `min` to `max`, both included. */
  whole(min: number, max: number): number {
    return min + Math.floor(this.random() * (max - min + 1));
  }

  one<T>(values: readonly T[]): T {
    return values[Math.floor(this.random() * values.length)] as T;
  }

  /** What `draw` gives, or nothing, with that probability. */
  maybe<T extends object>(probability: number, draw: () => T): T | Record<never, never> {
    return this.chance(probability) ? draw() : {};
  }
}
