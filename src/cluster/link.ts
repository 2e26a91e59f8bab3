import { hash } from "node:crypto";
import type { Clock, Timer } from "../core/index.ts";
import { type Commands, reasonOf } from "../redis/index.ts";

/** A script, and the name by which a server that has seen it knows it. */
export interface Script {
  readonly text: string;
  readonly sha: string;
}

export function scriptOf(text: string): Script {
  return { text, sha: hash("sha1", text, "hex") };
}

export interface LinkTimes {
  readonly timeoutMs: number;
  readonly connectMs: number;
}

export interface LinkListener {
  lost(reason: string): void;
  found(): void;
  /** The server has become a replica: its name leads elsewhere by now. */
  demoted(): void;
}

/**
 * The way to the server, and whether it answers in time. An answer that comes too late is still given to who asked, but
 * the server counts as lost until one comes in time.
 */
export class Link {
  readonly #commands: Commands;
  readonly #clock: Clock;
  readonly #timeoutMs: number;
  readonly #connectMs: number;
  readonly #listener: LinkListener;
  #reachable = true;
  #lostAt: number;
  #trips = 0;
  #known = false;

  /** The first answer may take as long as loading the client and connecting may. */
  constructor(commands: Commands, clock: Clock, { timeoutMs, connectMs }: LinkTimes, listener: LinkListener) {
    this.#commands = commands;
    this.#clock = clock;
    this.#timeoutMs = timeoutMs;
    this.#connectMs = connectMs;
    this.#listener = listener;
    this.#lostAt = clock.now();
  }

  get reachable(): boolean {
    return this.#reachable;
  }

  /** When it was lost last; at first, when it was not known yet. */
  get lostAt(): number {
    return this.#lostAt;
  }

  /** Commands sent. */
  get trips(): number {
    return this.#trips;
  }

  /** Runs a script, of whose keys the first decides where. Rejects with `StoreError`. */
  async run({ text, sha }: Script, keys: readonly string[], ...args: readonly string[]): Promise<unknown> {
    const rest = [String(keys.length), ...keys, ...args];
    let late = false;
    const ms = this.#known ? this.#timeoutMs : Math.max(this.#timeoutMs, 2 * this.#connectMs);
    const timer = inTime(this.#clock, ms, () => {
      late = true;
      this.#lost(`no answer within ${ms} ms`);
    });
    try {
      const reply = await this.#evaluate(keys[0] as string, text, sha, rest);
      if (!late) this.#found();
      return reply;
    } catch (error) {
      const reason = error instanceof Error && error.cause !== undefined ? reasonOf(error.cause) : "not connected";
      // It may have been lost before, as when it was too slow at first.
      if (reason === "READONLY") this.#listener.demoted();
      this.#lost(reason);
      throw error;
    } finally {
      timer.cancel();
    }
  }

  async #evaluate(key: string, text: string, sha: string, rest: readonly string[]): Promise<unknown> {
    this.#trips++;
    try {
      return await this.#commands.send(key, ["EVALSHA", sha, ...rest]);
    } catch (error) {
      // The server restarted, was flushed, or another has taken its place.
      if (!(error instanceof Error) || !String(error.cause).includes("NOSCRIPT")) throw error;
    }
    this.#trips++;
    return this.#commands.send(key, ["EVAL", text, ...rest]);
  }

  #lost(reason: string): void {
    this.#known = true;
    if (!this.#reachable) return;
    this.#reachable = false;
    this.#lostAt = this.#clock.now();
    this.#listener.lost(reason);
  }

  #found(): void {
    this.#known = true;
    if (this.#reachable) return;
    this.#reachable = true;
    this.#listener.found();
  }
}

/**
 * A timer for answers from elsewhere: one that comes while the event loop stands still is there, but unread, when the
 * time is up, so the loop gets one more turn.
 */
export function inTime(clock: Clock, ms: number, fn: () => void): Timer {
  let timer = clock.background(ms, () => {
    timer = clock.background(0, fn);
  });
  return { cancel: () => timer.cancel() };
}
