import {
  aborted,
  BreakwaterError,
  type Call,
  Cancellation,
  CircuitBreakerOpenError,
  type Fault,
  faultOf,
  functionOf,
  type Next,
  OptionError,
  type Outcome,
  type Policy,
  QueueFullError,
  type Ring,
  refusal,
  textOf,
} from "../../core/index.ts";

/** The part of cockatiel's `IPolicy` that is needed: a policy of cockatiel 3 or 4, or a `wrap` of several. */
export interface CockatielPolicy {
  execute<T>(
    fn: (context: { readonly signal: AbortSignal }) => PromiseLike<T> | T,
    signal?: AbortSignal,
  ): Promise<unknown>;
}

export interface FromCockatielOptions {
  /** Where it stands: `call`, `attempt`, or `border` for a policy that retries. */
  readonly ring: Ring;
  /** Name in events and traces. Default `"cockatiel"`. */
  readonly name?: string;
}

/**
 * What a cockatiel policy sees thrown when the rest of the line fails: filter on it with
 * `handleWhen((error) => error instanceof LineFailure && error.fault.kind === "server_error")`.
 */
export class LineFailure extends BreakwaterError {
  readonly fault: Fault;

  constructor(fault: Fault) {
    super("LINE_FAILURE", `The call failed: ${fault.kind}.`, { cause: fault.error });
    this.fault = fault;
  }
}

/**
 * Puts a policy of the user's own from cockatiel into a line. Cockatiel ends a call when its answer begins, so a
 * bulkhead or timeout from there does not cover a streamed body. Throws `OptionError`.
 */
export function fromCockatiel(policy: CockatielPolicy, options: FromCockatielOptions): Policy {
  functionOf(
    "fromCockatiel.policy",
    (policy as CockatielPolicy | undefined)?.execute,
    "a cockatiel policy, with `execute`",
  );
  if (!["call", "border", "attempt"].includes(options?.ring)) {
    throw new OptionError("fromCockatiel.ring", options?.ring, '"call", "border" or "attempt"');
  }
  const name = options.name === undefined ? "cockatiel" : textOf("fromCockatiel.name", options.name, 64);
  return { name, ring: options.ring, handle: (call, next) => handle(policy, name, call, next) };
}

async function handle(policy: CockatielPolicy, name: string, call: Call, next: Next): Promise<Outcome> {
  let attempt = 0;
  try {
    const result = await policy.execute(async ({ signal }) => {
      // Cockatiel aborts its signal when the call returns: a body that streams on must not hear of it.
      const { cancellation, release } = Cancellation.from(signal);
      const unfollow = call.cancellation.onCancel((reason) => cancellation.cancel(reason));
      const outcome = await next(call.with({ cancellation, attempt: call.attempt + attempt++ }));
      release();
      if (!outcome.ok) {
        unfollow();
        throw new LineFailure(outcome);
      }
      outcome.settled.subscribe(unfollow);
      return outcome;
    }, call.cancellation.signal);
    return result as Outcome;
  } catch (error) {
    return faultFrom(error, name, call);
  }
}

function faultFrom(error: unknown, name: string, call: Call): Fault {
  if (error instanceof LineFailure) return error.fault;
  if (call.cancellation.cancelled) return aborted(call.cancellation.reason);
  const brands = (typeof error === "object" && error !== null ? error : {}) as Record<string, unknown>;
  if (brands["isBrokenCircuitError"] === true) {
    return refusal(new CircuitBreakerOpenError(`The circuit breaker of "${name}" is open.`, { policy: name }));
  }
  if (brands["isBulkheadRejectedError"] === true) {
    return refusal(new QueueFullError(`The bulkhead of "${name}" is full.`, { policy: name }));
  }
  if (brands["isTaskCancelledError"] === true) return faultOf({ kind: "timeout", error });
  throw error;
}
