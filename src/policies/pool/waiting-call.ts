import { type Call, expectedServiceCost, type Fault, type Runtime, type Waiter } from "../../core/index.ts";
import type { Applicant, Place, Watch } from "./applicant.ts";

/** A call that found no free slot, at first or when it came back for one. */
export class WaitingCall implements Applicant {
  readonly call: Call;
  readonly weight = 1;
  readonly cameAt: number | undefined;
  waiter: Waiter<Applicant> | undefined;
  watch: Watch | undefined;
  readonly #runtime: Runtime;
  readonly #resolve: (admission: Place | Fault) => void;

  constructor(call: Call, runtime: Runtime, resolve: (admission: Place | Fault) => void, cameAt?: number) {
    this.call = call;
    this.cameAt = cameAt;
    this.#runtime = runtime;
    this.#resolve = resolve;
  }

  get level(): number {
    return this.call.scope.priority;
  }

  get admitBy(): number {
    return this.call.admitBy;
  }

  get endBy(): number {
    return this.call.deadline;
  }

  get tenant(): string | undefined {
    return this.call.scope.client;
  }

  get partition(): string | undefined {
    return this.call.scope.partition;
  }

  get cost(): number {
    return expectedServiceCost(this.call);
  }

  get cancellation(): Call["cancellation"] {
    return this.call.cancellation;
  }

  admitted(place: Place, waitMs: number): void {
    this.#ended(waitMs, place);
  }

  refused(fault: Fault, waitMs: number): void {
    this.#ended(waitMs, fault);
  }

  #ended(waitMs: number, admission: Place | Fault): void {
    this.call.trace.waited(this.#runtime.clock.now(), "pool", "queue", waitMs);
    this.#resolve(admission);
  }
}
