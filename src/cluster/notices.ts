import { randomUUID } from "node:crypto";
import type { Runtime, Timer } from "../core/index.ts";
import type { Subscribe, Subscription } from "../redis/index.ts";
import { Bulletin, fieldOf, type NoticeKind, noticeOf } from "./bulletin.ts";
import { HeadCount } from "./head-count.ts";
import { type Link, scriptOf } from "./link.ts";
import type { ClusterKeys } from "./names.ts";
import { HEARTBEAT, TELL } from "./scripts.ts";

const HEARTBEAT_SCRIPT = scriptOf(HEARTBEAT);
const TELL_SCRIPT = scriptOf(TELL);

const HEARTBEAT_EVERY_MS = 10_000;
/** A process counts so long after its last sign of life. */
const ALIVE_MS = 25_000;
const PROBE_EVERY_MS = 1_000;
/** Part of the time by which signs of life are spread. */
const JITTER = 0.25;

export interface NoticesOptions {
  readonly link: Link;
  readonly keys: ClusterKeys;
  readonly runtime: Runtime;
  /** How many processes there are until that is known. */
  readonly processes: number;
  /** The server had lost the quota of `key`, and begun it anew. */
  reborn(key: string, birth: string): void;
}

/**
 * What processes tell one another, and how many of them live: by messages, and by signs of life that make up for lost
 * ones.
 */
export class Notices {
  readonly bulletin: Bulletin;
  readonly #options: NoticesOptions;
  readonly #name = randomUUID();
  #subscription: Subscription | undefined;
  readonly #heads: HeadCount;
  /** The number of the last thing told that is known. */
  #seq = "";
  #beating: Promise<void> | undefined;
  #beatsAgain = false;
  #timer: Timer | undefined;
  #closed = false;

  constructor(options: NoticesOptions) {
    this.#options = options;
    this.#heads = new HeadCount(options.processes, ALIVE_MS);
    this.bulletin = new Bulletin(options.runtime.clock);
  }

  get processes(): number {
    return this.#heads.count;
  }

  /** The most that may live: one that the server has forgotten counts as long as it would without a sign of life. */
  mostProcesses(now: number): number {
    return this.#heads.most(now);
  }

  start(subscribe: Subscribe | undefined): void {
    const { keys, runtime } = this.#options;
    this.#subscription = subscribe?.(
      keys.channel,
      (message) => this.#hear(message),
      () => this.beatSoon(),
      runtime,
    );
    this.beatSoon();
  }

  /** `forMs` is from now; 0: it no longer holds. */
  tell(kind: NoticeKind, key: string, forMs: number): void {
    if (this.#closed) return;
    this.bulletin.note({ kind, key, forMs: Math.ceil(forMs) });
    if (this.#options.link.reachable) this.#tellAll();
  }

  /** A sign of life now, and what has happened since the last. */
  beatSoon(): void {
    this.#beatIn(0);
  }

  lost(): void {
    this.#beatIn(PROBE_EVERY_MS * this.#jitter());
  }

  found(): void {
    if (!this.#closed) this.#tellAll();
  }

  /** Never rejects. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#timer?.cancel();
    await this.#signOfLife(0);
    this.#subscription?.close();
  }

  #tellAll(): void {
    const { link, keys } = this.#options;
    for (const notice of this.bulletin.untold()) {
      const args = [keys.channel, this.#name, fieldOf(notice), String(Math.ceil(notice.forMs))];
      link.run(TELL_SCRIPT, [keys.told, keys.live], ...args).then(
        (seq) => this.#passed(String(seq)),
        () => this.bulletin.putBack(notice),
      );
    }
  }

  #hear(message: string): void {
    const { runtime } = this.#options;
    let content: Partial<Record<string, unknown>>;
    try {
      content = JSON.parse(message);
    } catch {
      return;
    }
    const { processes, at, birth, key, seq, origin, field, forMs } = content;
    if (processes !== undefined) {
      // If signs of life went lost, ours may be among them; of many processes, each comes at a time of its own.
      if (Number(processes) < this.processes) this.#beatIn(this.processes * runtime.random());
      this.#heads.heard(Number(processes), Number(at), runtime.clock.now());
    }
    if (typeof birth === "string") this.#options.reborn(String(key), birth);
    if (seq === undefined) return;
    this.#passed(String(seq));
    const notice = noticeOf(field, forMs);
    if (origin !== this.#name && notice !== undefined) this.bulletin.heard(notice);
  }

  // Redis delivers a message at most once: whoever misses one sees that the next has not its number.
  #passed(seq: string): void {
    const [before, next] = [Number(this.#seq), Number(seq)];
    if (this.#seq === "" || next <= before) return;
    if (next === before + 1) this.#seq = seq;
    else this.beatSoon();
  }

  #beatIn(ms: number): void {
    if (this.#closed) return;
    this.#timer?.cancel();
    this.#timer = this.#options.runtime.clock.background(ms, () => this.#beat());
  }

  #beat(): void {
    // What has happened since one was sent may not be in its answer.
    this.#beatsAgain = this.#beating !== undefined;
    const { link, runtime } = this.#options;
    const beatAt = runtime.clock.now();
    this.#beating ??= this.#signOfLife(ALIVE_MS).finally(() => {
      this.#beating = undefined;
      const everyMs = (link.reachable ? HEARTBEAT_EVERY_MS : PROBE_EVERY_MS) * this.#jitter();
      this.#beatIn(this.#beatsAgain ? 0 : Math.max(0, beatAt + everyMs - runtime.clock.now()));
    });
  }

  /** It counts for so long; 0: the process leaves. Never rejects. */
  async #signOfLife(forMs: number): Promise<void> {
    const { link, keys, runtime } = this.#options;
    const { countedAt } = this.#heads;
    let reply: unknown;
    try {
      const args = [this.#name, String(forMs), this.#seq, keys.channel];
      reply = await link.run(HEARTBEAT_SCRIPT, [keys.told, keys.live], ...args);
    } catch {
      return;
    }
    const [processes, at, seq, ...notices] = (Array.isArray(reply) ? reply : []).map(String);
    this.#heads.answered(Number(processes), Number(at), countedAt, runtime.clock.now());
    if (seq !== undefined) this.#seq = seq;
    for (let index = 0; index + 1 < notices.length; index += 2) {
      const notice = noticeOf(notices[index], Number(notices[index + 1]));
      if (notice !== undefined) this.bulletin.heard(notice);
    }
  }

  #jitter(): number {
    return 1 + JITTER * (2 * this.#options.runtime.random() - 1);
  }
}
