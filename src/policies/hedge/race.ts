import {
  type AttemptKind,
  aborted,
  BreakwaterError,
  type Call,
  type Cancellation,
  type Commit,
  type Fault,
  type Next,
  type Outcome,
  readToCommit,
  type Timer,
  type Unsubscribe,
} from "../../core/index.ts";

/** What a race needs of its policy. */
export interface RaceControl {
  /** Calls `fn` in `ms`. */
  after(ms: number, fn: () => void): Timer;
  /** Asked when the delay is over. A number: look again after so many milliseconds. */
  due(): "start" | "never" | number;
  /** How the second try is sent. */
  second(call: Call): Call;
  started(): void;
  /** The second try was refused by a policy of ours and never sent. */
  refused(): void;
  /** After `started` only; `first` too when both tries failed. */
  ended(winner: AttemptKind): void;
}

interface Lane {
  readonly kind: AttemptKind;
  readonly cancellation: Cancellation;
  readonly release: Unsubscribe;
  fault: Fault | undefined;
}

/**
 * One call that may be tried twice at the same time. The first try whose answer reaches `commit` wins, the other is
 * cancelled at once. A failure counts only when no other try is under way; then it is that of the first.
 */
export class Race {
  readonly #call: Call;
  readonly #next: Next;
  readonly #commit: Commit;
  readonly #control: RaceControl;
  readonly #lanes: Lane[] = [];
  #timer: Timer | undefined;
  #resolve: ((outcome: Outcome) => void) | undefined;

  constructor(call: Call, next: Next, commit: Commit, control: RaceControl) {
    this.#call = call;
    this.#next = next;
    this.#commit = commit;
    this.#control = control;
  }

  run(delayMs: number): Promise<Outcome> {
    return new Promise((resolve) => {
      this.#resolve = resolve;
      this.#arm(delayMs);
      this.#start(this.#call);
    });
  }

  #arm(ms: number): void {
    this.#timer = this.#control.after(ms, () => {
      this.#timer = undefined;
      const due = this.#control.due();
      if (typeof due === "number") this.#arm(due);
      if (due !== "start") return;
      this.#control.started();
      this.#start(this.#control.second(this.#call));
    });
  }

  #start(call: Call): void {
    const { cancellation, release } = this.#call.cancellation.child();
    const lane: Lane = { kind: call.attemptKind, cancellation, release, fault: undefined };
    this.#lanes.push(lane);
    void this.#next(call.with({ cancellation }))
      .then((outcome) => readToCommit(this.#commit, call, outcome))
      .then((outcome) => this.#arrived(lane, outcome));
  }

  #arrived(lane: Lane, outcome: Outcome): void {
    if (this.#resolve === undefined) {
      if (outcome.ok && outcome.body.kind === "stream") outcome.body.fail(aborted(LOST));
    } else if (outcome.ok) {
      outcome.settled.subscribe(lane.release);
      this.#finish(lane, outcome);
    } else {
      lane.fault = outcome;
      lane.release();
      if (lane !== this.#lanes[0] && outcome.kind === "refused") this.#control.refused();
      const first = this.#lanes[0]?.fault;
      if (first !== undefined && this.#lanes.every(({ fault }) => fault !== undefined)) this.#finish(undefined, first);
    }
  }

  #finish(winner: Lane | undefined, outcome: Outcome): void {
    const resolve = this.#resolve;
    this.#resolve = undefined;
    this.#timer?.cancel();
    resolve?.(outcome);
    for (const lane of this.#lanes) {
      if (lane === winner || lane.fault !== undefined) continue;
      lane.release();
      lane.cancellation.cancel(LOST);
    }
    if (this.#lanes.length > 1) this.#control.ended(winner?.kind ?? "first");
  }
}

const LOST = new BreakwaterError("HEDGE_LOST", "Another try of the same call answered first.");
