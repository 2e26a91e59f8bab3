import type { Clock, QuotaLimit, QuotaShare, Runtime, SharedQuotas, Timer } from "../core/index.ts";
import { Commands, type Connection, type RedisServer } from "../redis/index.ts";
import { inTime, Link, scriptOf } from "./link.ts";
import { type ClusterKeys, clusterKeys } from "./names.ts";
import { Notices } from "./notices.ts";
import type { ClusterSettings } from "./options.ts";
import type { DrawReply, DrawRequest } from "./protocol.ts";
import { DRAW } from "./scripts.ts";
import { KeyShare, type QuotaState, type ShareHost } from "./share.ts";
import { type SharedBreaker, shareBreaker } from "./shared-breaker.ts";

const DRAW_SCRIPT = scriptOf(DRAW);

const TIDY_EVERY_MS = 500;
/** A command without an answer for so long: its connection is dead, and made again. */
const DEAD_AFTER_MS = 1_000;
const SHOWN_MAX = 100;

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
  readonly #shares = new Map<string, Set<KeyShare>>();
  readonly #active = new Set<KeyShare>();
  readonly #leaving = new Set<Promise<void>>();
  readonly #limitListeners = new Set<(key: string, limits: readonly QuotaLimit[]) => void>();
  #tidying: Timer | undefined;
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
      demoted: () => this.#connection.giveUp(),
    });
    this.#notices = new Notices({
      link: this.#link,
      keys: this.#keys,
      runtime,
      processes: settings.processes,
      reborn: (key, birth) => {
        for (const share of this.#shares.get(key) ?? []) share.reborn(birth);
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

  mostProcesses(now: number): number {
    return this.#notices.mostProcesses(now);
  }

  random(): number {
    return this.#runtime.random();
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
    if (this.#closed) return;
    this.#active.add(share);
    this.#tidying ??= this.clock.background(TIDY_EVERY_MS, () => this.#tidy());
  }

  limitsTold(key: string, limits: readonly QuotaLimit[]): void {
    for (const listener of this.#limitListeners) listener(key, limits);
  }

  closed(share: KeyShare): void {
    const ofKey = this.#shares.get(share.key);
    ofKey?.delete(share);
    if (ofKey?.size === 0) this.#shares.delete(share.key);
    this.#active.delete(share);
    const leaving = share.leave().finally(() => this.#leaving.delete(leaving));
    this.#leaving.add(leaving);
  }

  shareBreaker(breaker: SharedBreaker): () => void {
    return shareBreaker(breaker, this.#notices, this.#runtime);
  }

  snapshot(): ClusterSnapshot {
    return {
      central: this.reachable,
      processes: this.processes,
      commands: this.#link.trips,
      quotas: [...this.#allShares()].slice(0, SHOWN_MAX).map(({ state }) => state),
    };
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#tidying?.cancel();
    for (const share of [...this.#allShares()]) share.close();
    await Promise.all([...this.#leaving, this.#notices.close()]);
    this.#connection.close();
  }

  #sharedQuotas(): SharedQuotas {
    return {
      share: (key, limits, holder): QuotaShare => {
        const share = new KeyShare(key, limits, holder, this);
        const ofKey = this.#shares.get(key) ?? new Set();
        this.#shares.set(key, ofKey.add(share));
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

  *#allShares(): Generator<KeyShare> {
    for (const ofKey of this.#shares.values()) yield* ofKey;
  }

  #tidy(): void {
    this.#tidying = undefined;
    const now = this.clock.now();
    for (const share of this.#active) if (!share.tidy(now)) this.#active.delete(share);
    if (this.#active.size > 0) this.#tidying ??= this.clock.background(TIDY_EVERY_MS, () => this.#tidy());
  }

  #lost(reason: string): void {
    this.#runtime.events.emit("cluster.lost", undefined, { reason, processes: this.processes });
    this.#notices.lost();
    for (const share of this.#allShares()) share.turned();
  }

  #found(): void {
    this.#runtime.events.emit("cluster.restored", undefined, { awayMs: this.clock.now() - this.lostAt });
    this.#notices.found();
    for (const share of this.#allShares()) share.turned();
  }
}
