import { type Call, type Fault, Latch, type Runtime, type StoreLeases, type Timer } from "../../core/index.ts";
import type { ByteTier } from "./byte-tier.ts";
import type { Search } from "./search.ts";

/** `ask` the provider, or `look` again: another process has kept an answer. */
export type Turn = "ask" | "look";

/** A call that wants to ask. */
export interface Visit {
  /** Never rejects. Settles at once when the call is cancelled. */
  readonly turn: Promise<Turn>;
  /** The call is over: it has its whole answer, or `fault`. */
  leave(fault?: Fault): void;
}

export interface LeasePlace {
  readonly tier: ByteTier;
  readonly leases: StoreLeases;
  readonly key: string;
  /** Whoever else asks for the lease has another name. */
  readonly holder: string;
  readonly leaseMs: number;
  readonly leaseWaitMs: number;
}

/** How long it is noted that a holder ended without an answer to share: longer than the longest pause. */
const FAILURE_MS = 1000;
const FIRST_PAUSE_MS = 10;
const LONGEST_PAUSE_MS = 250;
/** A lease is renewed this many times in its length. */
const RENEWALS = 3;

const ASK: Promise<Turn> = Promise.resolve("ask");

/** The lease of one key, and the calls of this process that wait for it or ask under it. */
export class KeyLease {
  readonly #place: LeasePlace;
  readonly #runtime: Runtime;
  readonly #over: () => void;
  #visits = 0;
  #waiting = 0;
  #decision: Latch<Turn> | undefined;
  #held = false;
  /** Whether another process was found asking. */
  #wasTaken = false;
  /** Ends the pause between two looks. */
  #wake: (() => void) | undefined;
  #renewal: Timer | undefined;
  #kept = false;
  #failed = false;
  #closed = false;

  /** `over` runs when nobody may come any more. */
  constructor(place: LeasePlace, runtime: Runtime, over: () => void) {
    this.#place = place;
    this.#runtime = runtime;
    this.#over = over;
  }

  enter(search: Search): Visit {
    this.#visits++;
    if (this.#decision === undefined) {
      this.#decision = new Latch();
      void this.#decide(search, this.#decision);
    }
    const { call } = search;
    const decided = this.#decision.isOpen || call.cancellation.cancelled;
    return { turn: decided ? ASK : this.#wait(call, this.#decision), leave: (fault) => this.#leave(fault) };
  }

  /** `undefined` when another process is asking. */
  async tryEnter(): Promise<Visit | undefined> {
    // Those who wait have found somebody else asking.
    if (this.#decision?.isOpen === false) return undefined;
    this.#visits++;
    if (this.#decision === undefined) {
      const decision = new Latch<Turn>();
      this.#decision = decision;
      const isFree = await this.#acquire();
      if (isFree) this.#hold();
      decision.open("ask");
      if (isFree === false) {
        this.#depart();
        return undefined;
      }
    }
    return { turn: ASK, leave: (fault) => this.#leave(fault) };
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#wake?.();
    await this.#giveBack();
  }

  async #decide(search: Search, decision: Latch<Turn>): Promise<void> {
    const turn = await this.#turn(search);
    // Whoever comes from now on has to look for itself.
    if (turn === "look") this.#over();
    if (turn === "look" || this.#visits === 0) await this.#giveBack();
    decision.open(turn);
  }

  async #turn(search: Search): Promise<Turn> {
    const { tier, leaseWaitMs } = this.#place;
    const { clock, random } = this.#runtime;
    const until = clock.now() + leaseWaitMs;
    for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS)) {
      const isFree = await this.#acquire();
      if (isFree === undefined) return "ask";
      if (isFree) this.#hold();
      // Only now: what the last holder has kept was there before it gave the lease back.
      if ((await tier.find(search)) !== undefined) return "look";
      // One after the other they would wait long for a provider that fails.
      if (isFree || (await tier.hasNote(this.#failureKey)) !== false) return "ask";
      this.#wasTaken = true;
      await this.#pause(Math.min(until - clock.now(), pauseMs * (0.5 + random() / 2)));
      if (this.#waiting === 0 || this.#closed || clock.now() >= until) return "ask";
    }
  }

  #wait(call: Call, decision: Latch<Turn>): Promise<Turn> {
    const { clock } = this.#runtime;
    const startedAt = clock.now();
    this.#waiting++;
    return new Promise((resolve) => {
      let isOver = false;
      const end = (turn: Turn): void => {
        if (isOver) return;
        isOver = true;
        off();
        timer?.cancel();
        if (--this.#waiting === 0) this.#wake?.();
        if (this.#wasTaken) this.#report(call, turn, clock.now() - startedAt);
        resolve(turn);
      };
      const limitMs = call.admitBy - startedAt;
      const timer = limitMs === Number.POSITIVE_INFINITY ? undefined : clock.timer(limitMs, () => end("ask"));
      const off = call.cancellation.onCancel(() => end("ask"));
      decision.subscribe(end);
    });
  }

  #report(call: Call, turn: Turn, waitMs: number): void {
    const { clock, events } = this.#runtime;
    const end = turn === "look" ? "answered" : this.#held ? "took_over" : "went_alone";
    call.trace.step(clock.now(), "cache", "waited", waitMs, end);
    if (events.wants("cache.waited")) events.emit("cache.waited", call, { waitMs, end });
  }

  #leave(fault: Fault | undefined): void {
    if (this.#place.tier.isWriting(this.#place.key)) this.#kept = true;
    else if (fault?.kind !== "aborted") this.#failed = true;
    this.#depart();
  }

  #depart(): void {
    if (--this.#visits > 0) return;
    this.#over();
    void this.#giveBack();
  }

  #hold(): void {
    this.#held = true;
    this.#renewLater();
  }

  #renewLater(): void {
    const { leaseMs } = this.#place;
    this.#renewal = this.#runtime.clock.background(leaseMs / RENEWALS, () => {
      void this.#acquire().then((isMine) => {
        if (isMine !== false && this.#held) this.#renewLater();
      });
    });
  }

  async #giveBack(): Promise<void> {
    if (!this.#held) return;
    this.#held = false;
    this.#renewal?.cancel();
    const { tier, leases, key, holder } = this.#place;
    await tier.writes.settled();
    if (this.#failed && !this.#kept) await tier.leaveNote(this.#failureKey, FAILURE_MS);
    await tier.operate("release", async () => {
      await leases.release(key, holder);
      return true;
    });
  }

  get #failureKey(): string {
    return `${this.#place.key}.failed`;
  }

  /** `undefined` when the tier does not tell. */
  async #acquire(): Promise<boolean | undefined> {
    const { tier, leases, key, holder, leaseMs } = this.#place;
    const told = await tier.operate("lease", async () => ({ isMine: await leases.acquire(key, holder, leaseMs) }));
    return told?.isMine;
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = this.#runtime.clock.timer(ms, () => this.#wake?.());
      this.#wake = () => {
        this.#wake = undefined;
        timer.cancel();
        resolve();
      };
    });
  }
}
