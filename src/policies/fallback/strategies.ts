import type { Random } from "../../core/index.ts";
import type { FallbackStrategy, PlaceSettings } from "./options.ts";
import type { Place } from "./place.ts";

/** A place that a call could go to. */
export interface Candidate {
  readonly settings: PlaceSettings;
  readonly place: Place;
}

export interface Expected {
  readonly inputTokens: number;
  readonly outputTokens: number;
}

/** Chooses one of `candidates`, which are of one rank and at least one. */
export function choose(
  strategy: FallbackStrategy,
  candidates: readonly Candidate[],
  expected: () => Expected,
  random: Random,
): Candidate {
  const [first] = candidates as readonly [Candidate];
  if (candidates.length === 1 || strategy === "ordered") return first;
  if (strategy === "weighted") return drawn(candidates, ({ settings }) => settings.weight, random);
  if (strategy === "cheapest") return cheapest(candidates, expected());
  return lessLoadedOfTwo(candidates, random);
}

/** Calls in flight for its capacity, with one more. */
function loadWith({ place, settings }: Candidate): number {
  return (place.inFlight + 1) / settings.capacity;
}

export function leastLoaded(candidates: readonly Candidate[]): Candidate {
  return candidates.reduce((best, other) => (loadWith(other) < loadWith(best) ? other : best));
}

// Two are enough to balance (Mitzenmacher, "The power of two choices in randomized load balancing", 2001), and a target
// that fails at once, and so has the fewest in flight, does not draw every call.
function lessLoadedOfTwo(candidates: readonly Candidate[], random: Random): Candidate {
  const one = drawn(candidates, ({ settings }) => settings.capacity, random);
  const other = drawn(
    candidates.filter((candidate) => candidate !== one),
    ({ settings }) => settings.capacity,
    random,
  );
  return loadWith(other) < loadWith(one) ? other : one;
}

function drawn(
  candidates: readonly Candidate[],
  weightOf: (candidate: Candidate) => number,
  random: Random,
): Candidate {
  let left = random() * candidates.reduce((sum, candidate) => sum + weightOf(candidate), 0);
  for (const candidate of candidates) {
    left -= weightOf(candidate);
    if (left < 0) return candidate;
  }
  return candidates.at(-1) as Candidate;
}

function cheapest(candidates: readonly Candidate[], expected: Expected): Candidate {
  let best = candidates[0] as Candidate;
  for (const candidate of candidates) if (costOf(candidate, expected) < costOf(best, expected)) best = candidate;
  return best;
}

function costOf({ settings: { price } }: Candidate, { inputTokens, outputTokens }: Expected): number {
  return price === undefined ? Number.POSITIVE_INFINITY : inputTokens * price.input + outputTokens * price.output;
}

/** How much more than its part of the calls in flight a place may have for the sake of a warm prompt cache. */
const OVERLOAD = 1.25;

/**
 * Whether a place has room for one more of the calls that stick to it. Bound: consistent hashing with bounded loads
 * (Mirrokni, Thorup and Zadimoghaddam, 2018).
 */
export function hasRoom({ place, settings }: Candidate, candidates: readonly Candidate[]): boolean {
  let inFlight = 1;
  let capacity = 0;
  for (const candidate of candidates) {
    inFlight += candidate.place.inFlight;
    capacity += candidate.settings.capacity;
  }
  return place.inFlight < Math.ceil((OVERLOAD * inFlight * settings.capacity) / capacity);
}
