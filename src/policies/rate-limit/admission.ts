import type { Call, Clock, Timer } from "../../core/index.ts";
import type { CallCost } from "./accounting.ts";
import { type Key, RANKS, type Waiting } from "./key.ts";
import { Soonest } from "./soonest.ts";

/** How many calls are sent before the event loop gets a turn. */
const ADMITTED_PER_STEP = 64;
/** How many calls one key hands on to the next before the event loop gets a turn. */
const MOVED_PER_STEP = 1_024;

/**
 * Who may pass, and who waits where. A call must fit into every one of its keys, and then takes from all of them in
 * one step. One that does not fit waits at the first key that stops it, in that key's own order of priority, and moves
 * on when that key lets it; so a call stopped by its client's limit holds up nobody else.
 *
 * Nobody overtakes at a key where others wait. One timer serves all: for the next key that opens, or the next call
 * whose time is up.
 */
export class Admission {
  readonly #clock: Clock;
  readonly #busy = RANKS.map(() => new Set<Key>());
  readonly #expiring = new Soonest<Waiting>(
    (waiting) => waiting.admitBy,
    (waiting) => waiting.place === undefined,
  );
  #waiting = 0;
  #stepLeft = ADMITTED_PER_STEP;
  #timer: Timer | undefined;
  #armedFor = Number.POSITIVE_INFINITY;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get waiting(): number {
    return this.#waiting;
  }

  /** Takes `cost` from all keys if nothing stops it; otherwise takes nothing and names what does. */
  pass(keys: readonly Key[], cost: CallCost, now: number): Key | undefined {
    const obstacle = obstacleFor(keys, cost, now, undefined);
    if (obstacle === undefined) for (const key of keys) key.take(cost, now, now);
    return obstacle;
  }

  /** How long a newcomer would wait; 0: nobody can tell. */
  expectedDelay(keys: readonly Key[], cost: CallCost, { priority, client }: Call["scope"], now: number): number {
    let ms = 0;
    for (const key of keys) ms = Math.max(ms, key.expectedDelay(cost, priority, client, now));
    return ms;
  }

  /** The same for one that has waited before, and is among the first. */
  leastDelay(keys: readonly Key[], cost: CallCost, now: number): number {
    let ms = 0;
    for (const key of keys) ms = Math.max(ms, key.delayBehind(0, cost, now));
    return ms;
  }

  /** Takes out one that has to make room for a newcomer at one of these keys, and refuses it. Says whether there was one. */
  makeRoom(keys: readonly Key[], { priority, client }: Call["scope"], now: number): boolean {
    for (const key of keys) {
      const last = key.lastBehind(priority, client);
      if (last === undefined) continue;
      this.leave(last, now);
      last.expired(now);
      return true;
    }
    return false;
  }

  /** Lets a call wait that `pass` has stopped at `key`. */
  enter(waiting: Waiting, key: Key, now: number): void {
    this.#waiting++;
    this.#place(waiting, key, now);
    if (waiting.admitBy < Number.POSITIVE_INFINITY) {
      this.#expiring.push(waiting);
      this.#arm(waiting.admitBy, now);
    }
    // It may be next by priority, and smaller than the one that was.
    if (key.head === waiting) this.wake([key], now);
  }

  /** Takes a call out that no longer wants to pass. */
  leave(waiting: Waiting, now: number): void {
    const key = waiting.place?.key;
    if (key === undefined) return;
    key.remove(waiting);
    this.#left(waiting);
    this.#look(key, now);
  }

  /** Looks again at keys that may have become wider. */
  wake(keys: Iterable<Key>, now: number): void {
    if (this.#waiting === 0) return;
    this.#stepLeft = ADMITTED_PER_STEP;
    for (const key of keys) if (key.waiting > 0) this.#drain(key, now);
  }

  wakeAll(now: number): void {
    for (const keys of this.#busy) this.wake(keys, now);
  }

  /** Takes every waiting call out and names it. */
  clear(): Waiting[] {
    const all: Waiting[] = [];
    for (const keys of this.#busy) {
      for (const key of keys) {
        for (let head = key.head; head !== undefined; head = key.head) {
          key.takeHead();
          this.#left(head);
          all.push(head);
        }
      }
      keys.clear();
    }
    return all;
  }

  // Narrow keys come first, so that all who compete for a wide one stand there when it is shared out.
  #tick(): void {
    this.#timer = undefined;
    this.#armedFor = Number.POSITIVE_INFINITY;
    this.#stepLeft = ADMITTED_PER_STEP;
    const now = this.#clock.now();
    for (const keys of this.#busy) for (const key of keys) if (key.readyAt <= now) this.#drain(key, now);
    this.#expire(now);
    let next = this.#expiring.peek()?.admitBy ?? Number.POSITIVE_INFINITY;
    for (const keys of this.#busy) for (const key of keys) next = Math.min(next, key.readyAt);
    this.#arm(next, now);
  }

  #drain(key: Key, now: number): void {
    let movesLeft = MOVED_PER_STEP;
    for (let head = key.head; head !== undefined && this.#stepLeft > 0 && movesLeft > 0; head = key.head) {
      const obstacle = obstacleFor(head.keys, head.cost, now, key);
      if (obstacle === key) break;
      key.takeHead();
      const hasSlot = obstacle !== undefined || head.seated();
      if (obstacle !== undefined || !hasSlot) {
        // It was not served here, and its tenant has had nothing.
        if (head.turn !== undefined) key.settleTurn(head.turn.waiter, 0);
        if (obstacle !== undefined) this.#place(head, obstacle, now);
        else this.#left(head);
        if (!hasSlot) head.unseated(now);
        movesLeft--;
        continue;
      }
      const since = limitedSince(head);
      for (const passed of head.keys) passed.take(head.cost, now, since);
      this.#stepLeft--;
      this.#left(head);
      head.admitted(now);
    }
    this.#look(key, now);
  }

  #expire(now: number): void {
    for (let first = this.#expiring.peek(); first !== undefined; first = this.#expiring.peek()) {
      if (first.admitBy > now) return;
      this.leave(first, now);
      first.expired(now);
    }
  }

  #place(waiting: Waiting, key: Key, now: number): void {
    key.add(waiting);
    this.#busy[key.rankIndex]?.add(key);
    this.#look(key, now);
  }

  #look(key: Key, now: number): void {
    const { head } = key;
    if (head === undefined) {
      key.readyAt = Number.POSITIVE_INFINITY;
      this.#busy[key.rankIndex]?.delete(key);
      return;
    }
    key.readyAt = now + key.delay(head.cost, now);
    this.#arm(key.readyAt, now);
  }

  #left(waiting: Waiting): void {
    this.#waiting--;
    if (waiting.admitBy < Number.POSITIVE_INFINITY) this.#expiring.voided();
    if (this.#waiting > 0) return;
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#armedFor = Number.POSITIVE_INFINITY;
  }

  // A timer that is due too early is left alone: it looks again when it fires.
  #arm(at: number, now: number): void {
    if (at >= this.#armedFor) return;
    this.#timer?.cancel();
    this.#armedFor = at;
    this.#timer = this.#clock.timer(at - now, () => this.#tick());
  }
}

// Who waits for a gate loses nothing to other limits: all of them are to be paced when it opens.
function limitedSince({ keys, since }: Waiting): number {
  let limited = since;
  for (const key of keys) limited = Math.max(limited, key.gateUntil);
  return limited;
}

/**
 * The first key that stops a call which waits at `from`, or arrives if that is `undefined`. Keys up to `from` stop it by
 * their limits only; at wider ones it also queues behind those who wait there.
 */
function obstacleFor(keys: readonly Key[], cost: CallCost, now: number, from: Key | undefined): Key | undefined {
  let isWider = from === undefined;
  for (const key of keys) {
    if (isWider && key.waiting > 0) return key;
    if (key === from) isWider = true;
    if (key.delay(cost, now) > 0) return key;
  }
  return undefined;
}
