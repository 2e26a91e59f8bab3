import {
  blamesProvider,
  type Call,
  CircuitBreakerOpenError,
  defaultRuntime,
  type Fault,
  Keyed,
  type Outcome,
  type Policy,
  type Runtime,
  refusal,
} from "../../core/index.ts";
import { Circuit, type CircuitObserver, type CircuitSnapshot, type Ticket } from "./circuit.ts";
import { CredentialLocks, locksCredential } from "./credential-locks.ts";

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
}

/**
 * Stops calls to a provider that fails. One circuit for each provider, model and credential.
 *
 * A circuit opens when the share of failures in the window reaches `failureRate`, and refuses every call with
 * `CircuitBreakerOpenError`. After `halfOpenAfter` it lets `probes` calls try; as many successes close it, one failure
 * opens it again for twice as long. After closing, the share of calls that pass grows over `ramp`.
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
  const targets = new Keyed<Circuit<Call>>(
    TARGETS_MAX,
    (key) => new Circuit(settings, announcer(runtime, key)),
    (circuit) => circuit.isIdle(clock.now()),
  );
  const locks = new CredentialLocks(settings, (key) => announcer(runtime, key));

  const refuse = (call: Call, key: string, retryAfterMs: number): Fault => {
    if (events.wants("breaker.rejected")) events.emit("breaker.rejected", call, { key, retryAfterMs });
    const message = `The circuit of ${key} is open: the provider failed lately. Try again in ${retryAfterMs} ms.`;
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
        return refuse(call, lock.key, lock.circuit.retryAfterMs(now));
      }
      const key = call.target;
      const circuit = targets.get(key);
      const ticket = circuit.admit(now, call);
      if (ticket === undefined) {
        if (lockTicket !== undefined) lock?.circuit.ignore(lockTicket, now, call);
        return refuse(call, key, circuit.retryAfterMs(now));
      }
      const outcome: Outcome = await next(call);
      const end = (fault: Fault | undefined): void => {
        const endedAt = clock.now();
        judge(circuit, ticket, fault, endedAt, call);
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
        circuit.reset();
        found = true;
      }
      return found;
    },
  };
}

function judge(circuit: Circuit<Call>, ticket: Ticket, fault: Fault | undefined, now: number, call: Call): void {
  if (fault === undefined) circuit.succeed(ticket, now, call);
  else if (blamesProvider(fault)) circuit.fail(ticket, fault.kind, now, call);
  else circuit.ignore(ticket, now, call);
}

function announcer({ events }: Runtime, key: string): CircuitObserver<Call> {
  return {
    opened: (call, details) => events.emit("breaker.opened", call, { key, ...details }),
    halfOpened: (call) => events.emit("breaker.half_opened", call, { key }),
    closed: (call, openMs) => events.emit("breaker.closed", call, { key, openMs }),
    sending({ trace }) {
      const before = trace.attemptCount;
      return () => trace.attempts.find(({ number }) => number > before)?.sentAt;
    },
  };
}
