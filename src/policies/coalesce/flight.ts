import {
  aborted,
  BreakwaterError,
  type Call,
  Cancellation,
  type Fault,
  type Next,
  type Outcome,
  plainCopy,
  type Reply,
  type ServedBy,
  type Unsubscribe,
  type ValueBody,
} from "../../core/index.ts";
import { Broadcast } from "./broadcast.ts";

interface Passenger {
  readonly call: Call;
  readonly next: Next;
  readonly resolve: (outcome: Outcome) => void;
  off: Unsubscribe;
}

const OUTRANKED = new BreakwaterError("OUTRANKED", "A more urgent call asks the same and goes in its place.");

// Refusals that say nothing of the question, only that the time of the call that was sent does not suffice.
const FOR_WANT_OF_TIME: ReadonlySet<unknown> = new Set(["DEADLINE_EXCEEDED", "RATE_LIMITED", "THROTTLED"]);

/**
 * One call to the rest of the line for all who ask the same. It is sent as the first one's, but cancelled only when all
 * have left. While it still waits inside the line, one that is more urgent sends its own in its place.
 */
export class Flight {
  readonly #bytesMax: number;
  readonly #closed: () => void;
  readonly #passengers = new Set<Passenger>();
  #broadcast: Broadcast | undefined;
  /** The call that was sent, and what ends it. */
  #sent: Call | undefined;
  #cancellation = new Cancellation();
  #replaced = false;

  /** `closed` runs once, when nobody can join any more. */
  constructor(bytesMax: number, closed: () => void) {
    this.#bytesMax = bytesMax;
    this.#closed = closed;
  }

  /** How many share the answer. */
  get size(): number {
    return this.#broadcast?.readers ?? this.#passengers.size;
  }

  /** Sends the call of the first who asks. */
  depart(call: Call, next: Next): Promise<Outcome> {
    return new Promise((resolve) => this.#send(this.#board(call, next, resolve)));
  }

  /** Shares the answer with one more. */
  join(call: Call, next: Next): Promise<Outcome> {
    if (this.#broadcast !== undefined) return Promise.resolve(this.#broadcast.join(call, "coalesced"));
    return new Promise((resolve) => {
      const passenger = this.#board(call, next, resolve);
      if (this.#isOutranked(call)) this.#sendInstead(passenger);
    });
  }

  #board(call: Call, next: Next, resolve: (outcome: Outcome) => void): Passenger {
    const passenger: Passenger = { call, next, resolve, off: nothing };
    this.#passengers.add(passenger);
    passenger.off = call.cancellation.onCancel((reason) => this.#leave(passenger, reason));
    return passenger;
  }

  #leave(passenger: Passenger, reason: unknown): void {
    this.#finish(passenger, aborted(reason));
    if (this.#passengers.size > 0) return;
    this.#closed();
    this.#cancellation.cancel(reason);
  }

  #send({ call, next }: Passenger): void {
    const cancellation = new Cancellation();
    this.#sent = call;
    this.#cancellation = cancellation;
    void next(call.with({ cancellation })).then((outcome) => {
      if (cancellation === this.#cancellation) this.#land(outcome);
      else dropped(outcome);
    });
  }

  /** The provider has not been asked yet, and would be sooner for this call. */
  #isOutranked({ scope }: Call): boolean {
    const sent = this.#sent;
    return sent !== undefined && scope.priority < sent.scope.priority && sent.trace.attemptCount === 0;
  }

  #sendInstead(passenger: Passenger): void {
    const outranked = this.#cancellation;
    this.#send(passenger);
    outranked.cancel(OUTRANKED);
  }

  #land(outcome: Outcome): void {
    if (this.#passengers.size === 0) {
      if (outcome.ok && outcome.body.kind === "stream") outcome.body.fail(aborted(this.#cancellation.reason));
    } else if (outcome.ok) {
      this.#share(outcome);
    } else {
      this.#failed(outcome);
    }
  }

  #share(reply: Reply): void {
    const { body } = reply;
    if (body.kind === "value") {
      this.#closed();
      this.#finishAll((_call, servedBy) => (servedBy === "upstream" ? reply : copyOf(reply, body)));
      return;
    }
    const broadcast = new Broadcast(reply, body, this.#bytesMax, {
      closed: this.#closed,
      deserted: (reason) => this.#cancellation.cancel(reason),
    });
    this.#broadcast = broadcast;
    this.#finishAll((call, servedBy) => broadcast.join(call, servedBy));
  }

  /** The first of those who are left has the answer as its own, so that it is counted and kept once. */
  #finishAll(replyTo: (call: Call, servedBy: ServedBy) => Reply): void {
    let servedBy: ServedBy = "upstream";
    for (const passenger of this.#passengers) {
      this.#finish(passenger, replyTo(passenger.call, servedBy));
      servedBy = "coalesced";
    }
  }

  #failed(fault: Fault): void {
    const successor = this.#replaced ? undefined : this.#successorAfter(fault);
    for (const passenger of this.#passengers) {
      if (successor === undefined || passenger.call.admitBy <= this.#sentAdmitBy) this.#finish(passenger, fault);
    }
    if (successor === undefined) {
      this.#closed();
    } else {
      this.#replaced = true;
      this.#send(successor);
    }
  }

  /** Whoever has the most time left, if that can help. */
  #successorAfter({ kind, error }: Fault): Passenger | undefined {
    if (kind !== "refused" || !(error instanceof Error && "code" in error && FOR_WANT_OF_TIME.has(error.code))) {
      return undefined;
    }
    let latest: Passenger | undefined;
    for (const passenger of this.#passengers) {
      const { admitBy } = passenger.call;
      if (admitBy > (latest?.call.admitBy ?? this.#sentAdmitBy)) latest = passenger;
    }
    return latest;
  }

  /** Until when the call that was sent can wait. */
  get #sentAdmitBy(): number {
    return this.#sent?.admitBy ?? Number.NEGATIVE_INFINITY;
  }

  #finish(passenger: Passenger, outcome: Outcome): void {
    this.#passengers.delete(passenger);
    passenger.off();
    passenger.resolve(outcome);
  }
}

function nothing(): void {}

function dropped(outcome: Outcome): void {
  if (outcome.ok && outcome.body.kind === "stream") outcome.body.fail(aborted(OUTRANKED));
}

// One caller may change its value; the others must not see it.
function copyOf(reply: Reply, { value }: ValueBody): Reply {
  return { ...reply, body: { kind: "value", value: plainCopy(value).value }, servedBy: "coalesced" };
}
