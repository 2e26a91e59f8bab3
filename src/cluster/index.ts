import type { Runtime } from "../core/index.ts";
import { type RedisClient, type RedisCluster, redisServer } from "../redis/index.ts";
import { type ClusterMember, type ClusterSnapshot, Member } from "./member.ts";
import { type ClusterOptions, readClusterOptions } from "./options.ts";
import type { SharedBreaker } from "./shared-breaker.ts";

export { CLUSTER_DEFAULTS } from "./options.ts";
export type { QuotaState } from "./share.ts";
export type { ClusterMember, ClusterOptions, ClusterSnapshot, RedisClient, RedisCluster, SharedBreaker };

/** Where optimizers of several processes meet, as declared in the options of each. */
export interface Cluster {
  /** Returns at once and does not throw: a server that cannot be reached is done without until it can. */
  open(runtime: Runtime): ClusterMember;
}

/**
 * One quota for many processes, over Redis 6.2 or newer, Valkey, or Redis Cluster. Needs the package `@redis/client`.
 *
 * Each process reserves a little of every limit ahead of its need and decides by itself on what it holds. While Redis
 * is away or slow, each goes by its part of 0.9 of the limit, and reports it afterwards. A gate that one provider's
 * "not before" closes, a circuit that opens, and a limit that a provider tells are known to all.
 *
 * Throws {@link OptionError}.
 */
export function cluster(options: ClusterOptions = {}): Cluster {
  const settings = readClusterOptions(options);
  const server = redisServer("cluster", "The cluster", options, settings.connectMs);
  return { open: (runtime) => new Member(settings, server, runtime) };
}
