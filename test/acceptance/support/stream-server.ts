import { once } from "node:events";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { type Random, seededRandom } from "../../../src/index.ts";

/** How a stream goes: to its end, or silent after three tokens, with or without comments that keep it alive. */
export type StreamKind = "healthy" | "silent" | "keepalive";

export interface StreamServer extends AsyncDisposable {
  /** The base URL for an SDK. */
  readonly url: string;
  /** Responses that are not over. */
  readonly open: () => number;
  readonly served: () => number;
}

const TOKENS = 60;
const TOKEN_MS = 4;
const LONG_GAP_SHARE = 0.001;
const KEEPALIVE_MS = 40;

/** A chat completion server on a free port, whose streams go as the last message of their request says. */
export async function startStreamServer(seed: number): Promise<StreamServer> {
  const random = seededRandom(seed);
  let open = 0;
  let served = 0;
  const server = createServer(async (request, response) => {
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part as Buffer);
    const body = JSON.parse(Buffer.concat(parts).toString()) as { messages: { content: StreamKind }[] };
    open++;
    served++;
    const stop = play(response, body.messages.at(-1)?.content ?? "healthy", random);
    response.on("close", () => {
      open--;
      stop();
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    open: () => open,
    served: () => served,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

/** Writes the stream in time; gives back how to stop. */
function play(response: ServerResponse, kind: StreamKind, random: Random): () => void {
  response.writeHead(200, { "content-type": "text/event-stream" });
  let timer: NodeJS.Timeout | undefined;
  let token = 0;
  const chunk = (delta: object, finish: string | null = null): string =>
    `data: ${JSON.stringify({ id: "c", object: "chat.completion.chunk", created: 1, model: "m", choices: [{ index: 0, delta, finish_reason: finish }] })}\n\n`;
  const step = (): void => {
    if (kind !== "healthy" && token === 3) {
      if (kind === "silent") return;
      response.write(": keep-alive\n\n");
      timer = setTimeout(step, KEEPALIVE_MS);
      return;
    }
    if (token === TOKENS) {
      response.end(`${chunk({}, "stop")}data: [DONE]\n\n`);
      return;
    }
    response.write(chunk({ content: `token ${token++} ` }));
    timer = setTimeout(step, random() < LONG_GAP_SHARE ? 10 * TOKEN_MS : TOKEN_MS);
  };
  step();
  return () => clearTimeout(timer);
}

/** A `fetch` that counts requests from their sending to the end of their body. */
export function countingFetch(): { readonly fetch: typeof fetch; readonly live: () => number } {
  let live = 0;
  const counted: typeof fetch = async (input, init) => {
    live++;
    let over = false;
    const end = (): void => {
      if (!over) live--;
      over = true;
    };
    try {
      const response = await fetch(input, init);
      const reader = response.body?.getReader();
      if (reader === undefined) {
        end();
        return response;
      }
      const body = new ReadableStream<Uint8Array>(
        {
          async pull(controller) {
            try {
              const { done, value } = await reader.read();
              if (!done) return controller.enqueue(value);
              end();
              controller.close();
            } catch (error) {
              end();
              controller.error(error);
            }
          },
          cancel(reason) {
            end();
            return reader.cancel(reason);
          },
        },
        { highWaterMark: 0 },
      );
      return new Response(body, response);
    } catch (error) {
      end();
      throw error;
    }
  };
  return { fetch: counted, live: () => live };
}
