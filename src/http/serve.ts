import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { integerIn, knownKeys, textOf } from "../core/index.ts";
import type { Optimizer } from "../optimizer.ts";
import { handler } from "./handler.ts";
import { nodeHandler } from "./node-handler.ts";
import { HANDLER_KEYS, type HandlerOptions, HTTP_DEFAULTS } from "./options.ts";

export interface ServeOptions extends HandlerOptions {
  /** 0 takes any that is free. Default 9464. */
  readonly port?: number | undefined;
  /** The address to listen on. Default `"127.0.0.1"`: nobody but this machine. */
  readonly host?: string | undefined;
  /** Lets the process end although the server listens. Default false. */
  readonly background?: boolean | undefined;
}

export interface RunningServer {
  /** Where it is, with a slash at the end. */
  readonly url: string;
  readonly port: number;
  /** Readiness says no from now on: call it a while before `close`. */
  drain(): void;
  /** Ends streams and open connections, and gives the port back. */
  close(): Promise<void>;
}

/** Starts a server of its own for `handler`. Rejects with `OptionError`, or with what kept it from listening. */
export async function serve(optimizer: Optimizer, options: ServeOptions = {}): Promise<RunningServer> {
  knownKeys("http", options, [...HANDLER_KEYS, "port", "host", "background"]);
  const { port: wanted = HTTP_DEFAULTS.port, host: named = HTTP_DEFAULTS.host, background, ...rest } = options;
  const port = integerIn("http.port", wanted, 0, 65_535);
  const host = textOf("http.host", named);
  const handle = handler(optimizer, rest);
  const listener = nodeHandler(handle);
  const server = createServer((request, response) => void listener(request, response));
  try {
    server.listen(port, host);
    await once(server, "listening");
  } catch (error) {
    handle.close();
    throw error;
  }
  if (background === true) server.unref();
  const address = server.address() as AddressInfo;
  const shown = address.family === "IPv6" ? `[${address.address}]` : address.address;
  return {
    url: `http://${shown}:${address.port}${rest.basePath?.replace(/\/+$/, "") ?? ""}/`,
    port: address.port,
    drain: handle.drain,
    async close() {
      handle.close();
      if (!server.listening) return;
      server.close();
      server.closeAllConnections();
      await once(server, "close");
    },
  };
}
