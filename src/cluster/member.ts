import type { Clock, QuotaLimit, QuotaShare, Runtime, SharedQuotas, Timer } from "../core/index.ts";
import { Commands, type Connection, type RedisServer } from "../redis/index.ts";
import { inTime, Link, scriptOf } from "./link.ts";
import { type ClusterKeys, clusterKeys } from "./names.ts";
import { Notices } from "./notices.ts";
import type { ClusterSettings } from "./options.ts";
import { DRAW } from "./scripts.ts";
import { type DrawReply, type DrawRequest, KeyShare, type QuotaState, type ShareHost } from "./share.ts";

const DRAW_SCRIPT = scriptOf(DRAW);

const TIDY_EVERY_MS = 500;
/** A command without an answer for so long: its connection is dead, and made again. */
const DEAD_AFTER_MS = 1_000;
const SHOWN_MAX = 100;

/** What takes over what other processes have found out of a circuit; `BreakerPolicy` does. */
export interface SharedBreaker {
  adopt(key: string, told: { state: "open"; openForMs: number } | { state: "closed" }): void;
}

export interface ClusterSnapshot {
  /** Whether the server answers in time; if not, this process goes by its insured share. */
  readonly central: boolean;
  /** Processes that share the quotas, this one included, as far as is known. */
  readonly processes: number;
  /** Commands sent so far, without those of connecting. */
  readonly commands: number;
  /** At most 100 keys. */
  readonly quotas: readonly QuotaState[];
}

/** One optimizer's part in the quotas that several share. */
export interface ClusterMember {
  readonly quotas: SharedQuotas;
  /** Shares what the breaker of this runtime finds out; what it gives back ends that. */
  shareBreaker(breaker: SharedBreaker): () => void;
  snapshot(): ClusterSnapshot;
  /** Gives back what is held, leaves, and closes the connection. Never rejects. */
  close(): Promise<void>;
}

export class Member implements ClusterMember, ShareHost {
  readonly quotas: SharedQuotas;
  readonly #settings: ClusterSettings;
  readonly #runtime: Runtime;
  readonly #keys: ClusterKeys;
  readonly #connection: Connection;
  readonly #link: Link;
  readonly #notices: Notices;
  readonly #shares = new Set<KeyShare>();
  readonly #active = new Set<KeyShare>();
  readonly #leaving = new Set<Promise<void>>();
  readonly #limitListeners = new Set<(key: string, limits: readonly QuotaLimit[]) => void>();
  #tidying: Timer | undefined;
  #adopting = false;
  #closed = false;

  constructor(settings: ClusterSettings, server: RedisServer, runtime: Runtime) {
    const { clock } = runtime;
    this.#settings = settings;
    this.#runtime = runtime;
    this.#keys = clusterKeys(settings.namespace);
    this.#connection = server.connect(runtime, () => this.#notices.beatSoon());
    const limit = {
      ms: Math.max(DEAD_AFTER_MS, settings.timeoutMs),
      after: (ms: number, fn: () => void) => inTime(clock, ms, fn),
    };
    this.#link = new Link(new Commands(this.#connection, limit), clock, settings, {
      lost: (reason) => this.#lost(reason),
      found: () => this.#found(),
    });
    this.#notices = new Notices({
      link: this.#link,
      keys: this.#keys,
      runtime,
      processes: settings.processes,
      reborn: (key, birth) => {
        for (const share of this.#shares) if (share.key === key) share.reborn(birth);
      },
    });
    this.quotas = this.#sharedQuotas();
    this.#notices.start(server.subscribe);
  }

  get clock(): Clock {
    return this.#runtime.clock;
  }

  get burstMs(): number {
    return this.#settings.burstMs;
  }

  get reachable(): boolean {
    return this.#link.reachable;
  }

  get lostAt(): number {
    return this.#link.lostAt;
  }

  get processes(): number {
    return this.#notices.processes;
  }

  gatedMs(key: string, now: number): number {
    return this.#notices.bulletin.leftMs("gate", key, now);
  }

  async draw(key: string, request: DrawRequest): Promise<DrawReply> {
    const args = [JSON.stringify(request), String(this.burstMs), this.#keys.channel, key];
    const reply = await this.#link.run(DRAW_SCRIPT, [this.#keys.quota(key)], ...args);
    return JSON.parse(String(reply)) as DrawReply;
  }

  activate(share: KeyShare): void {
    this.#active.add(share);
    this.#tidying ??= this.clock.background(TIDY_EVERY_MS, () => this.#tidy());
  }

  limitsTold(key: string, limits: readonly QuotaLimit[]): void {
    for (const listener of this.#limitListeners) listener(key, limits);
  }

  closed(share: KeyShare): void {
    this.#shares.delete(share);
    this.#active.delete(share);
    const leaving = share.leave().finally(() => this.#leaving.delete(leaving));
    this.#leaving.add(leaving);
  }

  shareBreaker(breaker: SharedBreaker): () => void {
    const { events } = this.#runtime;
    const tell = (key: string, openForMs: number): void => {
      if (!this.#adopting) this.#notices.tell("circuit", key, openForMs);
    };
    const stops = [
      events.on("breaker.opened", ({ key, openForMs }) => tell(key, openForMs)),
      events.on("breaker.closed", ({ key }) => tell(key, 0)),
      this.#notices.bulletin.on("circuit", (key, forMs) => {
        // What it tells of itself now is what it was told.
        this.#adopting = true;
        breaker.adopt(key, forMs === 0 ? { state: "closed" } : { state: "open", openForMs: Math.max(1, forMs) });
        this.#adopting = false;
      }),
    ];
    return () => {
      for (const stop of stops) stop();
    };
  }

  snapshot(): ClusterSnapshot {
    return {
      central: this.reachable,
      processes: this.processes,
      commands: this.#link.trips,
      quotas: [...this.#shares].slice(0, SHOWN_MAX).map(({ state }) => state),
    };
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#tidying?.cancel();
    for (const share of [...this.#shares]) share.close();
    await Promise.all([...this.#leaving, this.#notices.close()]);
    this.#connection.close();
  }

  #sharedQuotas(): SharedQuotas {
    return {
      share: (key, limits, holder): QuotaShare => {
        const share = new KeyShare(key, limits, holder, this);
        this.#shares.add(share);
        return share;
      },
      closeGate: (key, forMs) => this.#notices.tell("gate", key, forMs),
      onGate: (listener) => this.#notices.bulletin.on("gate", listener),
      onLimits: (listener) => {
        this.#limitListeners.add(listener);
        return () => this.#limitListeners.delete(listener);
      },
    };
  }

  #tidy(): void {
    this.#tidying = undefined;
    const now = this.clock.now();
    for (const share of this.#active) if (!share.tidy(now)) this.#active.delete(share);
    if (this.#active.size > 0) this.#tidying ??= this.clock.background(TIDY_EVERY_MS, () => this.#tidy());
  }

  #lost(reason: string): void {
    this.#runtime.events.emit("cluster.lost", undefined, { reason, processes: this.processes });
    // It has become a replica: its name leads elsewhere by now.
    if (reason === "READONLY") this.#connection.giveUp();
    this.#notices.lost();
    for (const share of this.#shares) share.turned();
  }

  #found(): void {
    this.#runtime.events.emit("cluster.restored", undefined, { awayMs: this.clock.now() - this.lostAt });
    this.#notices.found();
    for (const share of this.#shares) share.turned();
  }
}
