import type { IncomingMessage, ServerResponse } from "node:http";
import type { HttpHandler } from "./handler.ts";
import { problem, slashAdded } from "./replies.ts";

/** What Express adds to a request: the whole path, and the body when a parser has read it already. */
type Mounted = IncomingMessage & { readonly originalUrl?: string; readonly body?: unknown };

/**
 * A handler as a listener for `node:http`, which Express takes as it is and Fastify with its raw request and response.
 * Never rejects.
 */
export function nodeHandler(
  handler: HttpHandler,
): (request: IncomingMessage, response: ServerResponse) => Promise<void> {
  return async (incoming: Mounted, outgoing) => {
    const request = requestOf(incoming);
    const response =
      request === undefined
        ? problem(400, "REQUEST_INVALID", "The address or the method cannot be read.")
        : (slashRedirect(incoming) ?? (await handler(request)));
    await write(response, outgoing);
    // Behind a body that nobody reads the next request would wait for ever.
    incoming.resume();
  };
}

function requestOf(incoming: Mounted): Request | undefined {
  const { method = "GET", url = "/", headers: given } = incoming;
  const headers = new Headers();
  for (const [name, value] of Object.entries(given)) {
    if (value !== undefined && !name.startsWith(":"))
      headers.set(name, Array.isArray(value) ? value.join(", ") : value);
  }
  // HTTP/2 says it so.
  const authority = given[":authority"];
  if (typeof authority === "string") headers.set("host", authority);
  try {
    // Who is asked is in the header: there it is text, in an address it could bring a path of its own.
    const address = new URL(`http://localhost${url.startsWith("/") ? url : `/${url}`}`);
    const hasBody = method !== "GET" && method !== "HEAD";
    return new Request(address, { method, headers, ...(hasBody && { body: bodyOf(incoming), duplex: "half" }) });
  } catch {
    return undefined;
  }
}

function bodyOf(incoming: Mounted): string | Uint8Array<ArrayBuffer> | ReadableStream {
  const { body } = incoming;
  if (typeof body === "string") return body;
  if (body instanceof Uint8Array) return new Uint8Array(body);
  if (typeof body === "object" && body !== null) return JSON.stringify(body);
  // What is not read of it stays with the connection: to destroy it would cut off the answer too.
  return ReadableStream.from(incoming.iterator({ destroyOnReturn: false }));
}

// Express takes the path it is mounted under off, and with it what tells whether there was a slash at its end.
function slashRedirect({ originalUrl, url }: Mounted): Response | undefined {
  if (originalUrl === undefined || originalUrl === url) return undefined;
  const [path = "", search] = originalUrl.split("?");
  if (path.endsWith("/") || !/^\/(\?|$)/.test(url ?? "")) return undefined;
  return slashAdded(path, search === undefined ? "" : `?${search}`);
}

async function write(response: Response, outgoing: ServerResponse): Promise<void> {
  const { body, status, headers } = response;
  // Somebody else has answered, or the client has left while we were asked.
  if (outgoing.headersSent || outgoing.destroyed) {
    await body?.cancel();
    return;
  }
  outgoing.writeHead(status, Object.fromEntries(headers));
  if (body === null) {
    outgoing.end();
    return;
  }
  outgoing.flushHeaders();
  const reader = body.getReader();
  outgoing.once("close", () => void reader.cancel().catch(() => {}));
  // The handler gave the client up; half a body must not look like a whole one.
  reader.closed.catch(() => outgoing.destroy());
  try {
    for (let { done, value } = await reader.read(); !done; { done, value } = await reader.read()) {
      if (!outgoing.write(value)) await drained(outgoing);
    }
    outgoing.end();
  } catch {
    outgoing.destroy();
  }
}

function drained(outgoing: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      outgoing.off("drain", done);
      outgoing.off("close", done);
      resolve();
    };
    outgoing.on("drain", done);
    outgoing.on("close", done);
    if (outgoing.destroyed) done();
  });
}
