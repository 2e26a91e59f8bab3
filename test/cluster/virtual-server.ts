import { createClient } from "@redis/client";
import { type ClusterMember, type ClusterOptions, cluster } from "../../src/cluster/index.ts";
import { type Clock, createRuntime, type Runtime, seededRandom } from "../../src/core/index.ts";
import type { RedisClient } from "../../src/redis/index.ts";
import { VirtualClock } from "../../src/testing/index.ts";
import { type RedisServer, startRedis } from "../support/redis-server.ts";

type Message = (message: string) => void;

/** A script as it runs at a time of the server's clock, in milliseconds. */
export function scriptAt(ms: number, script: string): string {
  const micros = Math.round(ms * 1_000);
  return script.replaceAll("redis.call('TIME')", `{'${Math.floor(micros / 1e6)}', '${micros % 1e6}'}`);
}

/** A process's way to the server. */
export interface Line {
  /** Commands are refused, never answered, or carried out when it is back; no message comes. */
  away: "refusing" | "silent" | "paused" | undefined;
}

export interface VirtualMember {
  readonly member: ClusterMember;
  readonly runtime: Runtime;
  readonly clock: Clock;
  readonly line: Line;
}

/** Longest step of the virtual time: answers take as long or less. */
const STEP_MS = 5;
/** The year 2026: a server's clock is none that begins at 0. */
export const STARTED_AT = Date.UTC(2026, 0, 1);

/**
 * A real Redis that runs the real scripts in virtual time: what they read of its clock is the test's. Minutes of many
 * members pass in a second, and each run is the same.
 */
export class VirtualServer {
  readonly clock = new VirtualClock();
  /** How far the server's clock is from where it began. */
  aheadMs = 0;
  /** Commands answered. */
  answered = 0;
  readonly #server: RedisServer;
  readonly #client = createClient();
  readonly #subscriber = createClient();
  readonly #scripts = new Map<string, string>();
  readonly #underWay = new Set<Promise<unknown>>();
  readonly #opened: VirtualMember[] = [];
  readonly #paused: (() => void)[] = [];

  private constructor(server: RedisServer) {
    this.#server = server;
    const { port } = server;
    this.#client = createClient({ socket: { host: "127.0.0.1", port } });
    this.#subscriber = this.#client.duplicate();
  }

  static async start(): Promise<VirtualServer> {
    const started = new VirtualServer(await startRedis());
    await Promise.all([started.#client.connect(), started.#subscriber.connect()]);
    return started;
  }

  /** A command of the test's own, at once. */
  command(...command: string[]): Promise<unknown> {
    return this.#client.sendCommand(command);
  }

  /** For all members there are. */
  goAway(how: Line["away"]): void {
    for (const { line } of this.#opened) line.away = how;
    if (how === undefined) for (const carryOut of this.#paused.splice(0)) carryOut();
  }

  forgetScripts(): void {
    this.#scripts.clear();
  }

  /** A member as another process would be one; `offMs` is how wrong its clock is. */
  open(options: ClusterOptions = {}, offMs = 0): VirtualMember {
    const { clock } = this;
    const line: Line = { away: undefined };
    const own: Clock = {
      now: () => clock.now() + 1e6 + offMs,
      wall: () => clock.wall() + offMs,
      timer: (ms, fn) => clock.timer(ms, fn),
      background: (ms, fn) => clock.background(ms, fn),
    };
    const runtime = createRuntime({ clock: own, random: seededRandom(this.#opened.length + 1) });
    const member = cluster({ client: this.#clientOf(line), ...options }).open(runtime);
    const opened = { member, runtime, clock: own, line };
    this.#opened.push(opened);
    return opened;
  }

  /** Lets time pass, and every answer come. */
  async pass(ms: number): Promise<void> {
    const until = this.clock.now() + ms;
    await this.settle();
    while (this.clock.now() < until) {
      await this.clock.advance(Math.min(STEP_MS, until - this.clock.now()));
      await this.settle();
    }
  }

  /** Lets time pass until it holds, and fails the test that waits when it does not within a minute. */
  async until(holds: () => boolean): Promise<void> {
    const by = this.clock.now() + 60_000;
    while (!holds()) {
      if (this.clock.now() > by) throw new Error("It did not come true within a minute of the virtual time.");
      await this.pass(STEP_MS);
    }
  }

  /** Lets time pass until the work is done. */
  async during<T>(work: Promise<T>): Promise<T> {
    let done = false;
    const end = (): void => {
      done = true;
    };
    work.then(end, end);
    await this.settle();
    await this.until(() => done);
    return work;
  }

  /** Resolves when no command is under way and every message was heard. */
  async settle(): Promise<void> {
    while (this.#underWay.size > 0) {
      await Promise.all(this.#underWay);
      await this.#subscriber.ping();
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  async stop(): Promise<void> {
    this.goAway(undefined);
    await this.during(Promise.all(this.#opened.map(({ member }) => member.close())));
    this.#client.destroy();
    this.#subscriber.destroy();
    await this.#server.stop();
  }

  #clientOf(line: Line): RedisClient {
    const subscriber = this.#subscriber;
    const heard: [string, Message][] = [];
    return {
      isReady: true,
      sendCommand: (command) => this.#answer(line, command.map(String)),
      duplicate: () => ({
        isReady: true,
        isOpen: true,
        on: () => {},
        ref: () => {},
        unref: () => {},
        connect: async () => {},
        subscribe: (channel: string, hear: Message) => {
          const here: Message = (message) => {
            if (line.away === undefined) hear(message);
          };
          heard.push([channel, here]);
          return this.#track(subscriber.subscribe(channel, here));
        },
        destroy: () => {
          for (const [channel, hear] of heard.splice(0)) void this.#track(subscriber.unsubscribe(channel, hear));
        },
      }),
    };
  }

  #answer({ away }: Line, command: readonly string[]): Promise<unknown> {
    if (away === "refusing") return Promise.reject(new Error("ECONNREFUSED"));
    if (away === "silent") return new Promise(() => {});
    if (away === "paused") {
      return new Promise((resolve, reject) => {
        this.#paused.push(() => void this.#track(this.#carryOut(command)).then(resolve, reject));
      });
    }
    return this.#track(this.#carryOut(command));
  }

  async #carryOut([name, script = "", ...rest]: readonly string[]): Promise<unknown> {
    const text = name === "EVAL" ? script : this.#scripts.get(script);
    if (text === undefined) throw new Error("NOSCRIPT No matching script.");
    if (name === "EVAL") {
      const sha = String(await this.#client.sendCommand(["SCRIPT", "LOAD", script]));
      this.#scripts.set(sha, script);
    }
    this.answered++;
    // No two scripts run at one time.
    const ms = STARTED_AT + this.clock.now() + this.aheadMs + this.answered / 1_000;
    return this.#client.sendCommand(["EVAL", scriptAt(ms, text), ...rest]);
  }

  #track<T>(work: Promise<T>): Promise<T> {
    const done = work.catch(() => {}).finally(() => this.#underWay.delete(done));
    this.#underWay.add(done);
    return work;
  }
}
