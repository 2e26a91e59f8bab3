export {
  AS_BYTES,
  Commands,
  type Connection,
  type RedisClient,
  type RedisCluster,
  type RedisCommand,
  reasonOf,
} from "./client.ts";
export { REDIS_URL_DEFAULT, type RedisServer, redisServer } from "./server.ts";
export type { Subscribe, Subscription } from "./subscription.ts";
