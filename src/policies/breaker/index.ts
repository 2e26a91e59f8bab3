import {
  type AttemptRecord,
  blamesProvider,
  type Call,
  CircuitBreakerOpenError,
  defaultRuntime,
  durationMs,
  type Fault,
  Keyed,
  type Outcome,
  type Policy,
  type Runtime,
  refusal,
} from "../../core/index.ts";
import { Circuit, type CircuitObserver, type CircuitSnapshot, type CircuitState } from "./circuit.ts";
import { CredentialLocks, isLockKey, locksCredential } from "./credential-locks.ts";
import { BREAKER_DEFAULTS, type BreakerOptions, breakerSettings, merged } from "./settings.ts";

export type { CircuitSnapshot, CircuitState } from "./circuit.ts";
export { BREAKER_DEFAULTS, type BreakerOptions } from "./settings.ts";

/** How many targets are kept apart; idle ones make room for new ones. */
const TARGETS_MAX = 1_000;

export interface BreakerPolicy extends Policy {
  readonly name: "breaker";
  readonly runtime: Runtime;
  /** Changes the running breaker. Circuits keep their state; another `window` begins empty. */
  update(options: BreakerOptions): void;
  /** Every circuit by key: provider, model and credential; a star stands for all models of a locked credential. */
  snapshot(): Record<string, CircuitSnapshot>;
  /** Closes one circuit, or all of them. Says whether there was one. */
  reset(key?: string): boolean;
  /** Whether calls to this target pass unhindered: neither open, nor half open, nor lately closed. Changes nothing. */
  isClosed(call: Call): boolean;
  /**
   * Takes over what another process has found out of a circuit, by the key that events and `snapshot` have. Open: for that
   * long from now, or longer where it is so already; closed: as if probes had succeeded here. A `breaker.opened` that
   * comes of it has the reason `told`. Throws `OptionError`.
   */
  adopt(key: string, told: AdoptedState): void;
}

/** What another process tells of a circuit; a length of time, since clocks differ. */
export type AdoptedState = { readonly state: "open"; readonly openForMs: number } | { readonly state: "closed" };

/**
 * Stops calls to a provider that fails. One circuit for each provider, model and credential.
 *
 * A circuit opens when the share of failures in the window reaches `failureRate`, or that of slow calls `slowCallRate`, and
 * refuses every call with `CircuitBreakerOpenError`. After `halfOpenAfter` it lets `probes` calls try; as many successes
 * close it, one that fails or is slow opens it again for twice as long. After closing, the share of calls that pass grows
 * over `ramp`.
 *
 * Failures are the provider's: 5xx, overload, connection, timeout, cut or unreadable replies. A caller's mistake, a
 * rate limit, an abort and a refusal count neither way and free a probe. A stream is judged when it ends, and a result
 * that was asked for before the circuit last changed is not counted.
 *
 * An exhausted quota or a rejected credential locks all models of that credential at once: for the provider's
 * `retryAfterMs`, 60 s if it names none, at most 10 minutes.
 *
 * Throws {@link OptionError} for a wrong option.
 */
export function breaker(options: BreakerOptions = {}, runtime: Runtime = defaultRuntime()): BreakerPolicy {
  const { clock, events } = runtime;
  let current = merged(BREAKER_DEFAULTS, options);
  let settings = breakerSettings(current);
  const targets = new Keyed<Circuit<Call | undefined>>(
    TARGETS_MAX,
    (key) => new Circuit(settings, announcer(runtime, key)),
    (circuit) => circuit.isIdle(clock.now()),
  );
  const locks = new CredentialLocks(settings, (key) => announcer(runtime, key));

  const refuse = (call: Call, key: string, circuit: Circuit<Call | undefined>, now: number): Fault => {
    const retryAfterMs = circuit.retryAfterMs(now);
    if (events.wants("breaker.rejected")) events.emit("breaker.rejected", call, { key, retryAfterMs });
    const message = `The circuit of ${key} ${STATE_WORDS[circuit.state]}: the provider failed lately. Try again in ${retryAfterMs} ms.`;
    return refusal(new CircuitBreakerOpenError(message, { policy: "breaker", retryAfterMs }));
  };

  return {
    name: "breaker",
    ring: "attempt",
    runtime,
    async handle(call, next) {
      const now = clock.now();
      const lock = locks.find(call);
      const lockTicket = lock?.circuit.admit(now, call);
      if (lock !== undefined && lockTicket === undefined) {
        return refuse(call, lock.key, lock.circuit, now);
      }
      const key = call.target;
      const circuit = targets.get(key);
      const ticket = circuit.admit(now, call);
      if (ticket === undefined) {
        if (lockTicket !== undefined) lock?.circuit.ignore(lockTicket, now, call);
        return refuse(call, key, circuit, now);
      }
      const attemptsBefore = call.trace.attemptCount;
      const outcome: Outcome = await next(call);
      const end = (fault: Fault | undefined): void => {
        const endedAt = clock.now();
        const slow = isSlow(call, attemptsBefore, outcome, endedAt, settings.slowCallMs);
        if (fault === undefined) circuit.succeed(ticket, endedAt, call, slow);
        else if (blamesProvider(fault)) circuit.fail(ticket, fault.kind, endedAt, call, slow);
        else circuit.ignore(ticket, endedAt, call);
        if (lockTicket !== undefined || (fault !== undefined && locksCredential(fault))) {
          locks.ended(call, lock, lockTicket, fault, endedAt);
        }
      };
      if (!outcome.ok) {
        end(outcome);
      } else {
        circuit.answered(ticket);
        if (lockTicket !== undefined) lock?.circuit.answered(lockTicket);
        outcome.settled.subscribe((settlement) => end(settlement.fault));
      }
      return outcome;
    },
    update(changes) {
      const next = merged(current, changes);
      settings = breakerSettings(next);
      current = next;
      for (const [, circuit] of targets) circuit.configure(settings);
      locks.configure(settings);
    },
    snapshot() {
      const now = clock.now();
      const rows: Record<string, CircuitSnapshot> = {};
      for (const [key, circuit] of [...targets, ...locks]) rows[key] = circuit.snapshot(now);
      return rows;
    },
    reset(key) {
      let found = false;
      for (const [name, circuit] of [...targets, ...locks]) {
        if (key !== undefined && name !== key) continue;
        circuit.reset(clock.now(), undefined);
        found = true;
      }
      return found;
    },
    isClosed(call) {
      if (locks.find(call) !== undefined) return false;
      const circuit = targets.peek(call.target)?.snapshot(clock.now());
      return circuit === undefined || (circuit.state === "closed" && !circuit.ramping);
    },
    adopt(key, told) {
      const now = clock.now();
      const openForMs =
        told.state === "open" ? durationMs("breaker.adopt.openForMs", told.openForMs, { min: 1 }) : undefined;
      if (isLockKey(key)) locks.adopt(key, openForMs, now);
      else if (openForMs === undefined) targets.peek(key)?.restore(now, undefined);
      else targets.get(key).trip(now, openForMs, "told", undefined);
    },
  };
}

const STATE_WORDS: Readonly<Record<CircuitState, string>> = {
  open: "is open",
  half_open: "is being tried",
  closed: "has just closed and lets only some calls pass",
};

/** The record of the first request after `before`: that of the try which a policy has let through. */
function sentAfter({ trace }: Call, before: number): Readonly<AttemptRecord> | undefined {
  return trace.attempts.find(({ number }) => number > before);
}

// What waits at a limit of ours was not sent yet and is nobody's slowness.
function isSlow(call: Call, before: number, outcome: Outcome, now: number, slowCallMs: number): boolean {
  if (slowCallMs === Number.POSITIVE_INFINITY) return false;
  const record = sentAfter(call, before);
  if (record === undefined) return false;
  const streams = outcome.ok && outcome.body.kind === "stream";
  const spokeAt = (streams ? record.firstContentAt : record.headAt) ?? now;
  return spokeAt - record.sentAt >= slowCallMs;
}

function announcer({ events }: Runtime, key: string): CircuitObserver<Call | undefined> {
  return {
    opened: (call, details) => events.emit("breaker.opened", call, { key, ...details }),
    halfOpened: (call) => events.emit("breaker.half_opened", call, { key }),
    closed: (call, openMs) => events.emit("breaker.closed", call, { key, openMs }),
    sending(call) {
      const before = call?.trace.attemptCount ?? 0;
      return () => call && sentAfter(call, before)?.sentAt;
    },
  };
}
