export {
  AS_BYTES,
  Commands,
  type Connection,
  type RedisClient,
  type RedisCluster,
  type RedisCommand,
} from "./client.ts";
export { type RedisServer, redisServer } from "./server.ts";
export type { Subscribe, Subscription } from "./subscription.ts";
