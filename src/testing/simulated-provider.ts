import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { integerIn } from "../core/index.ts";
import type { ReplySink } from "./exchange.ts";
import { ProviderModel } from "./provider.ts";
import type { ProviderModelOptions } from "./provider-options.ts";

/** Options of {@link startSimulatedProvider}. */
export interface SimulatedProviderOptions extends ProviderModelOptions {
  /** Default 0: any that is free. */
  readonly port?: number;
}

/** A simulated provider that listens on 127.0.0.1. */
export interface SimulatedProvider extends AsyncDisposable {
  /** The base URL for an SDK: `http://127.0.0.1:<port>/v1`. */
  readonly url: string;
  readonly provider: ProviderModel;
  /** Stops listening and breaks every connection: clients get `ECONNREFUSED` until `resume`. */
  pause(): Promise<void>;
  /** Listens again, on the same port. */
  resume(): Promise<void>;
  /** Stops for good: no socket or timer is left. Also what `await using` does at the end. */
  close(): Promise<void>;
}

// Longer than any client keeps an idle connection, so that none is closed under a request.
const KEEP_ALIVE_MS = 120_000;

/**
 * Starts a simulated provider behind HTTP. The fault `refused` closes the connection without a reply, since the
 * port is open by then; `pause` refuses for real. Throws `OptionError`; rejects when the port is taken.
 */
export async function startSimulatedProvider(options: SimulatedProviderOptions = {}): Promise<SimulatedProvider> {
  const { port: wantedPort = 0, ...modelOptions } = options;
  integerIn("provider.port", wantedPort, 0, 65_535);
  const provider = new ProviderModel(modelOptions);
  const server = createServer({ noDelay: true, keepAliveTimeout: KEEP_ALIVE_MS }, (request, response) =>
    serve(provider, request, response),
  );
  const port = await listen(server, wantedPort);
  const stop = (): Promise<void> => (server.listening ? stopListening(server) : Promise.resolve());
  return {
    url: `http://127.0.0.1:${port}/v1`,
    provider,
    pause: stop,
    resume: async () => {
      if (!server.listening) await listen(server, port);
    },
    close: stop,
    [Symbol.asyncDispose]: stop,
  };
}

function listen(server: Server, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.1", () => {
      server.off("error", reject);
      resolve((server.address() as AddressInfo).port);
    });
  });
}

function stopListening(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}

function serve(provider: ProviderModel, request: IncomingMessage, response: ServerResponse): void {
  const parts: Buffer[] = [];
  request.on("data", (part: Buffer) => parts.push(part));
  request.on("end", () => {
    const received = {
      method: request.method ?? "GET",
      path: new URL(request.url ?? "/", "http://127.0.0.1").pathname,
      headers: flatHeaders(request),
      body: Buffer.concat(parts).toString("utf8"),
    };
    try {
      const exchange = provider.exchange(received, socketSink(response, request.socket));
      response.on("close", () => exchange.abort());
    } catch (error) {
      // A fault function that throws must not end the process, and must not pass unseen.
      response.writeHead(500, { "content-type": "application/json" });
      response.end(JSON.stringify({ error: { message: String(error), type: "fault_script_error" } }));
    }
  });
}

function socketSink(response: ServerResponse, socket: Socket): ReplySink {
  return {
    head: (status, headers) => response.writeHead(status, headers),
    flush: () => response.flushHeaders(),
    write: (text) => response.write(text),
    end: (text) => response.end(text),
    // Not before this turn's writes have left, or the client would never see them.
    break: (how) => setImmediate(() => (how === "refused" ? socket.destroy() : socket.resetAndDestroy())),
  };
}

function flatHeaders(request: IncomingMessage): Record<string, string> {
  return Object.fromEntries(
    Object.entries(request.headers).map(([name, value]) => [
      name,
      Array.isArray(value) ? value.join(", ") : (value ?? ""),
    ]),
  );
}
