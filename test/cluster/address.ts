import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import type { RedisServer } from "../support/redis-server.ts";

/** One address that leads to a server, and may lead to another later. */
export interface Address {
  readonly url: string;
  /** For connections to come. */
  leadTo(other: RedisServer): void;
  /** Cuts those that there are. */
  cut(): void;
  close(): void;
}

/** One address behind which the server may change, as a name or a load balancer is. */
export async function addressOf(first: RedisServer): Promise<Address> {
  let { port } = first;
  const sockets = new Set<Socket>();
  const cut = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  const listener = createServer((from) => {
    const to = connect(port, "127.0.0.1");
    for (const socket of [from, to]) {
      sockets.add(socket);
      socket.on("error", () => {});
      socket.on("close", () => {
        sockets.delete(socket);
        from.destroy();
        to.destroy();
      });
    }
    from.pipe(to).pipe(from);
  }).listen(0, "127.0.0.1");
  await once(listener, "listening");
  const address = listener.address() as { port: number };
  return {
    url: `redis://127.0.0.1:${address.port}`,
    leadTo: (other: RedisServer) => {
      port = other.port;
    },
    cut,
    close: () => {
      cut();
      listener.close();
    },
  };
}
