import {
  aborted,
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

// Refusals that say nothing of the question, only that the time of the call that was sent does not suffice.
const FOR_WANT_OF_TIME: ReadonlySet<unknown> = new Set(["DEADLINE_EXCEEDED", "RATE_LIMITED", "THROTTLED"]);

/**
 * One call to the rest of the line for all who ask the same. It is sent as the first one's, but cancelled only when all
 * have left.
 */
export class Flight {
  readonly #bytesMax: number;
  readonly #closed: () => void;
  readonly #cancellation = new Cancellation();
  readonly #passengers = new Set<Passenger>();
  #broadcast: Broadcast | undefined;
  /** Until when the call that was sent can wait. */
  #admitBy = Number.NEGATIVE_INFINITY;
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
    return new Promise((resolve) => void this.#board(call, next, resolve));
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
    this.#admitBy = call.admitBy;
    void next(call.with({ cancellation: this.#cancellation })).then((outcome) => this.#land(outcome));
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
      if (successor === undefined || passenger.call.admitBy <= this.#admitBy) this.#finish(passenger, fault);
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
      if (admitBy > this.#admitBy && admitBy > (latest?.call.admitBy ?? this.#admitBy)) latest = passenger;
    }
    return latest;
  }

  #finish(passenger: Passenger, outcome: Outcome): void {
    this.#passengers.delete(passenger);
    passenger.off();
    passenger.resolve(outcome);
  }
}

function nothing(): void {}

// One caller may change its value; the others must not see it.
function copyOf(reply: Reply, { value }: ValueBody): Reply {
  return { ...reply, body: { kind: "value", value: plainCopy(value).value }, servedBy: "coalesced" };
}
