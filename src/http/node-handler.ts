import type { IncomingMessage, ServerResponse } from "node:http";
import { Readable } from "node:stream";
import type { HttpHandler } from "./handler.ts";
import { problem } from "./replies.ts";

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
  };
}

function requestOf(incoming: Mounted): Request | undefined {
  const { method = "GET", url = "/", headers: given } = incoming;
  const headers = new Headers();
  for (const [name, value] of Object.entries(given)) {
    if (value !== undefined && !name.startsWith(":"))
      headers.set(name, Array.isArray(value) ? value.join(", ") : value);
  }
  try {
    // The host of a URL may be anything here: who is asked is in the header.
    const address = new URL(`http://${given.host ?? "localhost"}${url.startsWith("/") ? url : `/${url}`}`);
    const hasBody = method !== "GET" && method !== "HEAD";
    return new Request(address, { method, headers, ...(hasBody && { body: bodyOf(incoming), duplex: "half" }) });
  } catch {
    return undefined;
  }
}

function bodyOf(incoming: Mounted): string | ReadableStream {
  const { body } = incoming;
  if (typeof body === "object" && body !== null) return JSON.stringify(body);
  return Readable.toWeb(incoming) as ReadableStream;
}

// Express takes the path it is mounted under off, and with it what tells whether there was a slash at its end.
function slashRedirect({ originalUrl, url }: Mounted): Response | undefined {
  if (originalUrl === undefined || originalUrl === url) return undefined;
  const [path = "", search] = originalUrl.split("?");
  if (path.endsWith("/") || !/^\/(\?|$)/.test(url ?? "")) return undefined;
  const location = `${path.split("/").at(-1)}/${search === undefined ? "" : `?${search}`}`;
  return new Response(null, { status: 308, headers: { location } });
}

async function write(response: Response, outgoing: ServerResponse): Promise<void> {
  outgoing.writeHead(response.status, Object.fromEntries(response.headers));
  const reader = response.body?.getReader();
  if (reader === undefined) {
    outgoing.end();
    return;
  }
  outgoing.flushHeaders();
  outgoing.once("close", () => void reader.cancel().catch(() => {}));
  try {
    for (let { done, value } = await reader.read(); !done; { done, value } = await reader.read()) {
      if (!outgoing.write(value)) await drained(outgoing);
    }
    outgoing.end();
  } catch {
    // The handler gave the client up; half a body must not look like a whole one.
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
