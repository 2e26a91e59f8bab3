import type { MarksChange, Runtime, Timer } from "../../core/index.ts";
import type { Subscribe, Subscription } from "../../redis/index.ts";
import type { RedisKeys } from "./keys.ts";
import type { RedisMarks } from "./marks.ts";

// How soon a message that was lost without a trace is noticed, at most twice this.
const CHECK_EVERY_MS = 1000;
// A message that another connection has overtaken is given this time to arrive.
const GRACE_MS = 100;
// A message this far behind is one that a check has counted already; farther away it is of another order of changes.
const OVERTAKEN_MAX = 1000;

type Listener = (change: MarksChange) => void;

/**
 * Tells of what others invalidate. Redis delivers a message at most once and says nothing of those it did not: so every
 * change has a number, each that arrives must be the next, and the number is read every second and after each
 * (re)connection. Whatever does not fit is told as `missed`.
 */
export class RedisWatch {
  readonly #marks: RedisMarks;
  readonly #keys: RedisKeys;
  readonly #subscribe: Subscribe;
  readonly #runtime: Runtime;
  readonly #listeners = new Set<{ readonly tell: Listener }>();
  #subscription: Subscription | undefined;
  #timer: Timer | undefined;
  #checking = false;
  /** The number of the last change known, told or not. */
  #last: number | undefined;
  /** What was before it is not known. */
  #unknown = false;
  #verified = false;
  #overdue: number | undefined;

  constructor(marks: RedisMarks, keys: RedisKeys, subscribe: Subscribe, runtime: Runtime) {
    this.#marks = marks;
    this.#keys = keys;
    this.#subscribe = subscribe;
    this.#runtime = runtime;
  }

  watch(tell: Listener): { readonly connected: () => boolean; readonly stop: () => void } {
    const listener = { tell };
    this.#listeners.add(listener);
    if (this.#subscription === undefined) this.#start();
    return {
      connected: () => this.#verified && this.#subscription?.connected === true,
      stop: () => {
        this.#listeners.delete(listener);
        if (this.#listeners.size === 0) this.close();
      },
    };
  }

  close(): void {
    this.#listeners.clear();
    this.#timer?.cancel();
    this.#subscription?.close();
    this.#subscription = undefined;
    this.#last = undefined;
    this.#unknown = false;
    this.#verified = false;
    this.#overdue = undefined;
  }

  #start(): void {
    void this.#check();
    const subscribed = (): void => {
      this.#verified = false;
      void this.#check();
    };
    const hear = (message: string): void => this.#hear(message);
    this.#subscription = this.#subscribe(this.#keys.channel, hear, subscribed, this.#runtime);
  }

  #hear(message: string): void {
    const { seq, origin, change } = parse(message);
    if (!Number.isSafeInteger(seq)) {
      this.#tell(MISSED);
      return;
    }
    const last = this.#last;
    if (last !== undefined && seq <= last && seq > last - OVERTAKEN_MAX) return;
    this.#last = seq;
    if (last !== undefined && seq !== last + 1) this.#tell(MISSED);
    else if (origin !== this.#marks.origin) this.#tell(change);
  }

  async #check(): Promise<void> {
    if (this.#checking) return;
    this.#checking = true;
    const subscription = this.#subscription;
    const connected = subscription?.connected === true;
    const heard = this.#last;
    const seq = await this.#presentSeq();
    // Read on another connection, the count may have come before messages that were sent before it.
    if (seq !== undefined && seq !== this.#last) await subscription?.caughtUp();
    this.#checking = false;
    if (this.#listeners.size === 0) return;
    if (seq === undefined) this.#unknown = this.#last === undefined;
    else this.#compare(seq, heard);
    this.#verified =
      connected && subscription === this.#subscription && seq !== undefined && this.#overdue === undefined;
    this.#timer?.cancel();
    const soon = this.#overdue !== undefined || (!connected && this.#subscription?.connected === true);
    this.#timer = this.#runtime.clock.background(soon ? GRACE_MS : CHECK_EVERY_MS, () => void this.#check());
  }

  /** `heard` is the last number known when `seq` was asked for; by now it may be far behind. */
  #compare(seq: number, heard: number | undefined): void {
    const wasOverdue = this.#overdue;
    this.#overdue = undefined;
    const last = this.#last;
    if (last === undefined) {
      this.#last = seq;
      if (this.#unknown) this.#tell(MISSED);
      this.#unknown = false;
    } else if (seq > last && seq - last < OVERTAKEN_MAX && (wasOverdue === undefined || last >= wasOverdue)) {
      this.#overdue = seq;
    } else if (seq > last || (heard !== undefined && seq < heard)) {
      this.#last = seq;
      this.#tell(MISSED);
      if (wasOverdue !== undefined) this.#subscription?.renew();
    }
  }

  async #presentSeq(): Promise<number | undefined> {
    try {
      return await this.#marks.seq();
    } catch {
      return undefined;
    }
  }

  #tell(change: MarksChange): void {
    for (const { tell } of this.#listeners) tell(change);
  }
}

const MISSED: MarksChange = { kind: "missed" };

interface Message {
  /** `NaN` in one that was not sent here. */
  readonly seq: number;
  readonly origin: unknown;
  readonly change: MarksChange;
}

function parse(message: string): Message {
  const end = message.indexOf(" ");
  try {
    const content = JSON.parse(message.slice(end + 1)) as Partial<Record<string, unknown>>;
    return { seq: Number(message.slice(0, end)), origin: content["origin"], change: changeOf(content) };
  } catch {
    return { seq: Number.NaN, origin: undefined, change: MISSED };
  }
}

function changeOf({ kind, tags, pattern }: Partial<Record<string, unknown>>): MarksChange {
  if (kind === "tags" && Array.isArray(tags)) return { kind, tags: tags.map(String) };
  if (kind === "sweep" && typeof pattern === "string") return { kind, pattern };
  return kind === "clear" ? { kind } : MISSED;
}
