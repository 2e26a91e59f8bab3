import type { Call, SharedQuotas } from "../../core/index.ts";
import { Key, type Rank } from "./key.ts";
import { KeyTable } from "./key-table.ts";
import { metersFor, quotaLimits, type RateLimits } from "./limits.ts";
import type { RateLimitSettings } from "./options.ts";
import { Target } from "./target.ts";

const NO_LIMITS: RateLimits = {};
const TARGET_PREFIX = "target/";

/** What a call has to pass, narrowest first; `target` is one of `keys`. */
export interface Route {
  readonly keys: readonly Key[];
  readonly target: Target;
}

/** All keys of one limiter: the process, and each client, label value, model, credential and target that was met. */
export class Keys {
  readonly global = new Key("global", "global");
  readonly targets: KeyTable<Target>;
  readonly #tables: Readonly<Record<"client" | "label" | "model" | "credential", KeyTable<Key>>>;
  readonly #wake: (keys: readonly Key[]) => void;
  #settings: RateLimitSettings;
  #quotas: SharedQuotas | undefined;

  /** `wake` is called with keys that may have become wider by themselves. */
  constructor(settings: RateLimitSettings, now: number, wake: (keys: readonly Key[]) => void) {
    this.#settings = settings;
    this.#wake = wake;
    const tableOf = (rank: Rank): KeyTable<Key> => new KeyTable((name, at) => this.#fitted(new Key(rank, name), at));
    this.targets = new KeyTable((name, at) => this.#fitted(new Target(name, at), at));
    this.#tables = {
      client: tableOf("client"),
      label: tableOf("label"),
      model: tableOf("model"),
      credential: tableOf("credential"),
    };
    this.#fitted(this.global, now);
  }

  routeOf(call: Call, now: number): Route {
    const { perClient, perModel, perCredential, perLabel } = this.#settings;
    const { client, labels } = call.scope;
    const tables = this.#tables;
    const keys: Key[] = [];
    if (perClient !== undefined && client !== undefined) keys.push(tables.client.get(client, now));
    for (const [label] of perLabel) {
      if (Object.hasOwn(labels, label)) keys.push(tables.label.get(`${label}=${labels[label]}`, now, `${label}=`));
    }
    if (perModel !== undefined) keys.push(tables.model.get(call.model, now));
    const target = this.targets.get(call.target, now);
    keys.push(target);
    if (perCredential !== undefined) keys.push(tables.credential.get(call.credential, now));
    keys.push(this.global);
    return { keys, target };
  }

  /** The target that other processes know by this name; `undefined`: the name is that of something else. */
  targetNamed(name: string, now: number): Target | undefined {
    return name.startsWith(TARGET_PREFIX) ? this.targets.get(name.slice(TARGET_PREFIX.length), now) : undefined;
  }

  configure(settings: RateLimitSettings, now: number): void {
    this.#settings = settings;
    for (const key of this.#all()) this.#fitted(key, now);
    if (!settings.learn) for (const target of this.targets.values()) target.forget();
  }

  /** From now on every key draws from a quota that is shared with other processes. */
  shareWith(quotas: SharedQuotas): void {
    this.#quotas = quotas;
    for (const key of this.#all()) this.#shared(key);
  }

  /** Gives back every share. */
  unshare(): void {
    this.#quotas = undefined;
    for (const key of this.#all()) {
      key.share?.close();
      key.share = undefined;
    }
  }

  get sizes(): Readonly<Record<Exclude<Rank, "global">, number>> {
    const { client, label, model, credential } = this.#tables;
    return {
      client: client.size,
      label: label.size,
      model: model.size,
      credential: credential.size,
      target: this.targets.size,
    };
  }

  *#all(): Generator<Key> {
    yield this.global;
    yield* this.targets.values();
    for (const table of Object.values(this.#tables)) yield* table.values();
  }

  #fitted<K extends Key>(key: K, now: number): K {
    if (key.rank !== "target") {
      const limits = this.#limitsOf(key);
      key.meters = metersFor(limits, this.#settings, now, key.meters);
      key.concurrency = limits.concurrency ?? Number.POSITIVE_INFINITY;
      key.share?.setLimits(quotaLimits(limits), now);
    }
    this.#shared(key);
    return key;
  }

  #shared(key: Key): void {
    if (this.#quotas === undefined || key.share !== undefined) return;
    const limits = key instanceof Target ? key.learnedLimits : quotaLimits(this.#limitsOf(key));
    key.share = this.#quotas.share(nameOf(key), limits, {
      widened: () => this.#wake([key]),
      waiting: () => key.waitingCost,
    });
  }

  #limitsOf({ rank, name }: Key): RateLimits {
    const { limits, perClient, perModel, perCredential, perLabel } = this.#settings;
    if (rank === "global") return limits;
    if (rank === "client") return perClient ?? NO_LIMITS;
    if (rank === "model") return perModel ?? NO_LIMITS;
    if (rank === "credential") return perCredential ?? NO_LIMITS;
    return perLabel.get(name.slice(0, name.indexOf("="))) ?? NO_LIMITS;
  }
}

/** As other processes know it. */
export function nameOf({ rank, name }: Key): string {
  return rank === "global" ? name : `${rank}/${name}`;
}
