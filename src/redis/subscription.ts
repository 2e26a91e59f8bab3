import type { Runtime, Timer } from "../core/index.ts";
import { isCluster, type RedisClient, type RedisCluster } from "./client.ts";
import { type MakeClient, type OwnClient, OwnConnection } from "./own-connection.ts";

/** A channel that is listened to, again whenever its connection is lost. */
export interface Subscription {
  /** Whether messages are coming in, as far as can be known here. */
  readonly connected: boolean;
  /** Resolves when what was published before this has been heard, as far as that can be known; never rejects. */
  caughtUp(): Promise<void>;
  /** Begins anew: messages have gone lost. */
  renew(): void;
  close(): void;
}

/** `subscribed` is called whenever the channel is listened to from now on. */
export type Subscribe = (
  channel: string,
  hear: (message: string) => void,
  subscribed: () => void,
  runtime: Runtime,
) => Subscription;

/** By a connection of its own: one that is subscribed carries no other commands (RESP 2). */
export function subscribeWith(make: MakeClient, timeoutMs: number): Subscribe {
  return (channel, hear, subscribed, runtime) => {
    const connection = new OwnConnection(make, timeoutMs, runtime, async (client) => {
      await client.subscribe(channel, hear);
      subscribed();
    });
    return {
      get connected() {
        return connection.send !== undefined;
      },
      // The server answers in the order of what it sends: whatever was published before the answer comes before it.
      caughtUp: () =>
        new Promise((resolve) => {
          const timer = runtime.clock.background(timeoutMs, resolve);
          const end = (): void => {
            timer.cancel();
            resolve();
          };
          Promise.resolve(connection.send?.("", ["PING"])).then(end, end);
        }),
      renew: () => connection.giveUp(),
      close: () => connection.close(),
    };
  };
}

/** By a client of the user's own; absent where it does not allow for it. */
export function subscribeBy(client: RedisClient | RedisCluster, timeoutMs: number): Subscribe | undefined {
  if (isCluster(client)) return subscribeOnCluster(client);
  if (typeof client.duplicate !== "function") return undefined;
  const { options } = client as { options?: { readonly socket?: object } };
  return subscribeWith(
    (own) => client.duplicate?.({ ...own, socket: { ...options?.socket, ...own.socket } }) as OwnClient,
    timeoutMs,
  );
}

const SUBSCRIBE_AGAIN_MS = 1_000;

/** The client of a cluster keeps a connection for subscriptions, and moves it when its node goes away. */
function subscribeOnCluster(cluster: RedisCluster): Subscribe {
  return (channel, hearText, subscribed, { clock }) => {
    const hear = (message: string | Buffer): void => hearText(String(message));
    let closed = false;
    let listening = false;
    let again: Timer | undefined;
    const subscribe = async (): Promise<void> => {
      again?.cancel();
      if (closed) return;
      try {
        await cluster.subscribe(channel, hear);
        listening = !closed;
        if (listening) subscribed();
      } catch {
        again = clock.background(SUBSCRIBE_AGAIN_MS, () => void subscribe());
      }
    };
    const unsubscribe = async (): Promise<void> => {
      listening = false;
      await cluster.unsubscribe(channel, hear).catch(() => {});
    };
    void subscribe();
    return {
      get connected() {
        return listening && cluster.isOpen;
      },
      // A message may come by way of another node than the count did.
      caughtUp: async () => {},
      renew: () => void unsubscribe().then(subscribe),
      close: () => {
        closed = true;
        again?.cancel();
        void unsubscribe();
      },
    };
  };
}
