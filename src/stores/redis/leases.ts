import type { StoreLeases } from "../../core/index.ts";
import type { Commands } from "../../redis/index.ts";
import type { RedisKeys } from "./keys.ts";
import { ACQUIRE, RELEASE } from "./scripts.ts";

/** Leases as keys that expire. A server that fails over may grant one twice: leases save calls, and guard nothing. */
export class RedisLeases implements StoreLeases {
  readonly #commands: Commands;
  readonly #keys: RedisKeys;

  constructor(commands: Commands, keys: RedisKeys) {
    this.#commands = commands;
    this.#keys = keys;
  }

  async acquire(key: string, holder: string, leaseMs: number): Promise<boolean> {
    const lease = this.#keys.lease(key);
    return (await this.#commands.send(lease, ["EVAL", ACQUIRE, "1", lease, holder, String(leaseMs)])) === 1;
  }

  async release(key: string, holder: string): Promise<void> {
    const lease = this.#keys.lease(key);
    await this.#commands.send(lease, ["EVAL", RELEASE, "1", lease, holder]);
  }
}
