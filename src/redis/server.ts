import { OptionError, type Runtime } from "../core/index.ts";
import { BorrowedConnection, type Connection, isCluster, type RedisClient, type RedisCluster } from "./client.ts";
import { clientsOf, OwnConnection } from "./own-connection.ts";
import { type Subscribe, subscribeBy, subscribeWith } from "./subscription.ts";

/** Where Redis is found when nothing else is said. */
export const REDIS_URL_DEFAULT = "redis://localhost:6379";

/** How a server is named in options. */
export interface RedisAddress {
  readonly url?: string | undefined;
  readonly client?: RedisClient | RedisCluster | undefined;
}

/** How to get at a server, or at a cluster of them. */
export interface RedisServer {
  readonly isCluster: boolean;
  /** `connected` is called whenever a connection of our own has been made; one of the user's tells nothing. */
  connect(runtime: Runtime, connected?: () => void): Connection;
  readonly subscribe: Subscribe | undefined;
}

/** Reads `<option>.url` and `<option>.client`, for the part that `neededBy` names. Throws {@link OptionError}. */
export function redisServer(
  option: string,
  neededBy: string,
  { url, client }: RedisAddress,
  connectMs: number,
): RedisServer {
  if (client === undefined) {
    const make = clientsOf(urlOf(`${option}.url`, url ?? REDIS_URL_DEFAULT), neededBy);
    return {
      isCluster: false,
      connect: (runtime, connected) => new OwnConnection(make, connectMs, runtime, connected),
      subscribe: subscribeWith(make, connectMs),
    };
  }
  if (url !== undefined) throw new OptionError(`${option}.client`, client, `nothing when ${option}.url is given, too`);
  if (typeof client?.sendCommand !== "function") {
    throw new OptionError(`${option}.client`, client, "a connected client, or cluster, of @redis/client or redis");
  }
  return {
    isCluster: isCluster(client),
    connect: () => new BorrowedConnection(client),
    subscribe: subscribeBy(client, connectMs),
  };
}

function urlOf(option: string, value: unknown): string {
  if (typeof value === "string" && /^rediss?:/.test(value) && URL.canParse(value)) return value;
  // An address may hold a password, which no error repeats.
  const shown = typeof value === "string" ? Symbol("hidden") : value;
  throw new OptionError(option, shown, `an address such as "${REDIS_URL_DEFAULT}"`);
}
