import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";

/** A line to a server that can be made bad. */
export interface TcpProxy {
  readonly port: number;
  /** Whatever arrives from now on waits so long before it is passed on, both ways. */
  delay(ms: number): void;
  /** Cuts every connection with a reset, as a firewall does. New ones are taken. */
  reset(): void;
  close(): Promise<void>;
}

export async function startTcpProxy(target: number): Promise<TcpProxy> {
  const sockets = new Set<Socket>();
  let delayMs = 0;
  const pipe = (from: Socket, to: Socket): void => {
    sockets.add(from);
    from.on("data", (data) => setTimeout(() => to.write(data), delayMs));
    from.on("error", () => to.destroy());
    from.on("close", () => {
      sockets.delete(from);
      to.destroy();
    });
  };
  const server = createServer((client) => {
    const upstream = connect(target, "127.0.0.1");
    pipe(client, upstream);
    pipe(upstream, client);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  return {
    port,
    delay: (ms) => {
      delayMs = ms;
    },
    reset: () => {
      for (const socket of sockets) socket.resetAndDestroy();
    },
    close: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}
