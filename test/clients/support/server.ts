import { once } from "node:events";
import { createServer, type IncomingHttpHeaders, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** A request as it came over the wire. */
export interface Seen {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly rawHeaders: readonly string[];
  readonly body: Buffer;
}

export type Answer = (response: ServerResponse, seen: Seen, nth: number) => void | Promise<void>;

export interface Server extends AsyncDisposable {
  /** Origin and `/v1`. */
  readonly url: string;
  readonly seen: readonly Seen[];
  /** Resolves when a client has gone away before its answer was over. */
  readonly abandoned: Promise<void>;
}

/** A real HTTP server on a free port that answers every request with `answer`; `nth` counts from 1. */
export async function startServer(answer: Answer): Promise<Server> {
  const seen: Seen[] = [];
  const abandoned = Promise.withResolvers<void>();
  const server = createServer(async (request, response) => {
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part as Buffer);
    const { method = "", url = "", headers, rawHeaders } = request;
    const one = { method, path: url, headers, rawHeaders, body: Buffer.concat(parts) };
    seen.push(one);
    response.on("close", () => {
      if (!response.writableFinished) abandoned.resolve();
    });
    await answer(response, one, seen.length);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/v1`,
    seen,
    abandoned: abandoned.promise,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
    },
  };
}

export const json =
  (body: unknown, status = 200, headers: Record<string, string> = {}): Answer =>
  (response) => {
    response.writeHead(status, { "content-type": "application/json", "x-request-id": "req-1", ...headers });
    response.end(typeof body === "string" ? body : JSON.stringify(body));
  };

/** Sends the texts as one event stream, each as a write of its own. */
export const events =
  (texts: readonly (string | Uint8Array)[], headers: Record<string, string> = {}): Answer =>
  async (response) => {
    response.writeHead(200, { "content-type": "text/event-stream", "x-request-id": "req-1", ...headers });
    for (const text of texts) {
      response.write(text);
      await new Promise(setImmediate);
    }
    response.end();
  };
