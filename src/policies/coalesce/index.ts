import { aborted, type Call, defaultRuntime, type Policy, type Runtime } from "../../core/index.ts";
import { Flight } from "./flight.ts";
import { type CoalesceOptions, type CoalesceSettings, readOptions } from "./options.ts";

export { COALESCE_DEFAULTS, type CoalesceOptions } from "./options.ts";

export interface CoalesceSnapshot extends CoalesceSettings {
  /** Questions that are on their way and can be joined. */
  readonly flights: number;
  /** How many calls have joined another's so far. */
  readonly joined: number;
}

export interface CoalescePolicy extends Policy {
  readonly name: "coalesce";
  readonly runtime: Runtime;
  /** Changes the running policy; what is left out stays. Throws `OptionError` and then changes nothing. */
  update(options: CoalesceOptions): void;
  snapshot(): CoalesceSnapshot;
}

/**
 * Lets identical calls in flight share one: the provider is asked once, and everybody gets its answer or its error.
 * Stands in the call ring, inside the cache.
 *
 * Calls are identical when the cache would have one entry for them and they want the answer in the same shape. A stream
 * can be joined while all of it so far is held; who joins gets it from the first chunk on, at its own pace.
 *
 * A caller that gives up settles at once and takes nobody's answer away; the provider is cancelled when all have left.
 * When it is the one that stands for the answer, `servedBy: "upstream"`, another does from then on.
 * When the call that was sent is refused because its own time does not suffice, another one with more time is
 * sent once.
 *
 * Throws `OptionError`.
 */
export function coalesce(options: CoalesceOptions = {}, runtime: Runtime = defaultRuntime()): CoalescePolicy {
  let settings = readOptions(options);
  const flights = new Map<string, Flight>();
  let joined = 0;

  return {
    name: "coalesce",
    ring: "call",
    runtime,
    handle(call, next) {
      const key = questionOf(call, settings);
      if (key === undefined) return next(call);
      if (call.cancellation.cancelled) return Promise.resolve(aborted(call.cancellation.reason));
      const known = flights.get(key);
      if (known !== undefined) {
        joined++;
        const outcome = known.join(call, next);
        reportJoin(runtime, call, known.size - 1);
        return outcome;
      }
      const flight = new Flight(settings.maxBufferBytes, () => flights.delete(key));
      flights.set(key, flight);
      return flight.depart(call, next);
    },
    update(changes) {
      settings = readOptions(changes, settings);
    },
    snapshot: () => ({ ...settings, flights: flights.size, joined }),
  };
}

/** The same for calls that can share an answer; `undefined` for one that goes alone. */
function questionOf(call: Call, { when }: CoalesceSettings): string | undefined {
  const { cache, onRestart } = call.scope;
  // Only the caller itself can take back what it was shown.
  if (cache === "bypass" || cache === "only-if-cached" || onRestart !== undefined) return undefined;
  try {
    if (when === "deterministic" && call.temperature !== 0) return undefined;
    const fingerprint = call.fingerprint();
    if (fingerprint === undefined) return undefined;
    // Who wants a fresh answer must not join one that was asked for before, nor who asks after an invalidation.
    return `${cache}\n${call.epoch}\n${fingerprint.key}${fingerprint.check}\n${call.wire.shape(call)}`;
  } catch {
    return undefined;
  }
}

function reportJoin({ clock, events }: Runtime, call: Call, followers: number): void {
  call.trace.step(clock.now(), "coalesce", "joined", undefined, followers);
  if (events.wants("coalesce.joined")) events.emit("coalesce.joined", call, { followers });
}
