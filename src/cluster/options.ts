import { type Duration, durationMs, integerIn, knownKeys, textOf } from "../core/index.ts";
import { REDIS_URL_DEFAULT, type RedisClient, type RedisCluster } from "../redis/index.ts";

export interface ClusterOptions {
  /** `redis://[[user]:password@]host[:port][/database]`, or `rediss:` for TLS. Default `"redis://localhost:6379"`. */
  readonly url?: string;
  /** A connected client of your own instead of `url`, or one of Redis Cluster; it is never closed here. */
  readonly client?: RedisClient | RedisCluster;
  /**
   * First part of every key: processes with the same one share their quotas. With a hash tag, as in `"{app}:"`,
   * everything is kept by one node of a cluster. Default `"breakwater:"`.
   */
  readonly namespace?: string;
  /**
   * How much of a limit may come at once, from all processes together, as the time in which it would flow: 1 ms to
   * 60 s. In any minute at most `limit * (1 + burst / 60 s)` is let through, and what processes held unused, for 2 s at
   * most. Default `"500ms"`.
   */
  readonly burst?: Duration;
  /** Longest wait for an answer of Redis: then a process goes by its insured share. At least 5 ms. Default `"75ms"`. */
  readonly timeout?: Duration;
  /** Longest time to connect. Default `"500ms"`. */
  readonly connectTimeout?: Duration;
  /** How many processes share the quotas, until Redis tells how many do: 1 to 100,000. Default 1. */
  readonly processes?: number;
}

export const CLUSTER_DEFAULTS = {
  url: REDIS_URL_DEFAULT,
  namespace: "breakwater:",
  burst: "500ms",
  timeout: "75ms",
  connectTimeout: "500ms",
  processes: 1,
} as const satisfies ClusterOptions;

export interface ClusterSettings {
  readonly namespace: string;
  readonly burstMs: number;
  readonly timeoutMs: number;
  readonly connectMs: number;
  readonly processes: number;
}

/** Reads all but the address. Throws `OptionError`. */
export function readClusterOptions(options: ClusterOptions): ClusterSettings {
  knownKeys("cluster", options, ["url", "client", "namespace", "burst", "timeout", "connectTimeout", "processes"]);
  const { namespace, burst, timeout, connectTimeout, processes } = options;
  return {
    namespace: textOf("cluster.namespace", namespace ?? CLUSTER_DEFAULTS.namespace),
    burstMs: durationMs("cluster.burst", burst ?? CLUSTER_DEFAULTS.burst, { min: 1, max: 60_000 }),
    timeoutMs: durationMs("cluster.timeout", timeout ?? CLUSTER_DEFAULTS.timeout, { min: 5 }),
    connectMs: durationMs("cluster.connectTimeout", connectTimeout ?? CLUSTER_DEFAULTS.connectTimeout, { min: 1 }),
    processes: integerIn("cluster.processes", processes ?? CLUSTER_DEFAULTS.processes, 1, 100_000),
  };
}
