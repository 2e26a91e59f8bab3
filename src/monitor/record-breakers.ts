import type { Call, Runtime } from "../core/index.ts";
import { DEFINITIONS } from "./definitions.ts";
import type { Registry } from "./registry.ts";

const BREAKERS_MAX = 1_000;
const STATES = ["closed", "half_open", "open"] as const;
type State = (typeof STATES)[number];
/** Where a breaker comes from that was not heard of before. */
const BEFORE: Readonly<Record<State, State>> = { open: "closed", half_open: "open", closed: "half_open" };

/** A breaker that was heard of. It keeps its provider and model: some are told of by no call, or by calls of several models. */
interface Breaker {
  readonly provider: string;
  readonly model: string;
  readonly isKnown: boolean;
  readonly state: State | undefined;
}

const UNKNOWN: Breaker = { provider: "unknown", model: "unknown", isKnown: false, state: undefined };

/**
 * Feeds the metrics of breakers. `changed` is called when a gauge took a value that an alert need not wait for. Gives
 * back how to stop.
 */
export function recordBreakers({ clock, events }: Runtime, registry: Registry, changed: (metric: string) => void) {
  const states = registry.gauge(DEFINITIONS.breakerState);
  const transitions = registry.counter(DEFINITIONS.breakerTransitions);
  const rejections = registry.counter(DEFINITIONS.breakerRejections);
  const breakers = new Map<string, Breaker>();

  const show = (key: string, { provider, model, state: current }: Breaker): void => {
    const now = clock.now();
    for (const state of STATES) {
      states.series({ provider, model, breaker: key, state }).set(state === current ? 1 : 0, now);
    }
  };
  const of = (key: string, call: Call | undefined): Breaker => {
    const known = breakers.get(key) ?? UNKNOWN;
    if (known.isKnown || call === undefined) return known;
    // The label set under which it stood as long as nobody had said whose it is.
    if (known.state !== undefined) show(key, UNKNOWN);
    return { ...known, provider: call.provider, model: call.model, isKnown: true };
  };
  const remember = (key: string, breaker: Breaker): void => {
    breakers.delete(key);
    breakers.set(key, breaker);
    const [oldest] = breakers.keys();
    if (breakers.size > BREAKERS_MAX && oldest !== undefined) breakers.delete(oldest);
  };
  const move = (key: string, call: Call | undefined, to: State): void => {
    const before = of(key, call);
    const { provider, model, state: from = BEFORE[to] } = before;
    const after = { ...before, state: to };
    remember(key, after);
    transitions.series({ provider, model, breaker: key, from, to }).add(1, clock.now());
    show(key, after);
    changed(DEFINITIONS.breakerState.name);
    changed(DEFINITIONS.breakerTransitions.name);
  };
  return [
    events.tap("breaker.opened", ({ key }, call) => move(key, call, "open")),
    events.tap("breaker.half_opened", ({ key }, call) => move(key, call, "half_open")),
    events.tap("breaker.closed", ({ key }, call) => move(key, call, "closed")),
    events.tap("breaker.rejected", ({ key }, call) => {
      rejections.series({ breaker: key }).add(1, clock.now());
      const breaker = of(key, call);
      if (breaker.state === undefined) return;
      remember(key, breaker);
      // Whoever refuses is still there: its state is good for another while.
      show(key, breaker);
    }),
  ];
}
