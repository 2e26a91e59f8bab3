export { StoreError } from "../core/index.ts";
export { KEYV_DEFAULTS, type KeyvInstance, type KeyvOptions, keyv } from "./keyv.ts";
export { MEMORY_DEFAULTS, type MemoryOptions, memory } from "./memory/index.ts";
export { REDIS_DEFAULTS, type RedisClient, type RedisCluster, type RedisOptions, redis } from "./redis/index.ts";
export { SQLITE_DEFAULTS, type SqliteDriver, type SqliteOptions, sqlite } from "./sqlite/index.ts";
export type { Tier } from "./tier.ts";
