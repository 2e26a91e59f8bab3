import type { ReplySink } from "./exchange.ts";

/** The part of the global `fetch` that SDKs use. */
export type Fetch = (input: string | URL | Request, init?: RequestInit) => Promise<Response>;

interface Received {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** Sends a request into the simulation and starts its reply; `abort` tells that nobody waits for it any more. */
export type OpenExchange = (request: Received, sink: ReplySink) => { abort(): void };

/**
 * A fetch whose other side is in this process. As the global one it rejects with a `TypeError` when the connection
 * fails, with the system's code on its `cause`, and with the signal's reason when that aborts.
 */
export async function fetchThrough(
  open: OpenExchange,
  input: string | URL | Request,
  init: RequestInit = {},
): Promise<Response> {
  const signal = init.signal ?? (input instanceof Request ? input.signal : undefined);
  signal?.throwIfAborted();
  const request = await receive(input, init);
  signal?.throwIfAborted();
  return new Promise((resolve, reject) => {
    const reply = new FetchReply(resolve, reject, signal);
    reply.follow(open(request, reply));
  });
}

class FetchReply implements ReplySink {
  readonly #resolve: (response: Response) => void;
  readonly #reject: (error: unknown) => void;
  readonly #signal: AbortSignal | undefined;
  #body: ReadableStreamDefaultController<Uint8Array> | undefined;
  #exchange: { abort(): void } | undefined;
  #over = false;

  constructor(
    resolve: (response: Response) => void,
    reject: (error: unknown) => void,
    signal: AbortSignal | null | undefined,
  ) {
    this.#resolve = resolve;
    this.#reject = reject;
    this.#signal = signal ?? undefined;
  }

  /** The reply may be over by now: a simulation without latency answers at once. */
  follow(exchange: { abort(): void }): void {
    if (this.#over) return;
    this.#exchange = exchange;
    this.#signal?.addEventListener("abort", this.#aborted);
  }

  head(status: number, headers: Readonly<Record<string, string>>): void {
    const stream = new ReadableStream<Uint8Array>({
      start: (controller) => {
        this.#body = controller;
      },
      cancel: () => {
        if (this.#close()) this.#exchange?.abort();
      },
    });
    this.#resolve(new Response(stream, { status, headers }));
  }

  flush(): void {}

  write(text: string): void {
    if (!this.#over) this.#body?.enqueue(ENCODER.encode(text));
  }

  end(text = ""): void {
    if (text !== "") this.write(text);
    if (this.#close()) this.#body?.close();
  }

  break(how: "refused" | "reset"): void {
    const cause =
      how === "refused"
        ? Object.assign(new Error("connect ECONNREFUSED"), { code: "ECONNREFUSED" })
        : Object.assign(new Error("read ECONNRESET"), { code: "ECONNRESET" });
    this.#fail(new TypeError(this.#body === undefined ? "fetch failed" : "terminated", { cause }));
  }

  #aborted = (): void => {
    this.#fail(this.#signal?.reason);
    this.#exchange?.abort();
  };

  #fail(error: unknown): void {
    if (!this.#close()) return;
    if (this.#body === undefined) this.#reject(error);
    else this.#body.error(error);
  }

  #close(): boolean {
    if (this.#over) return false;
    this.#over = true;
    this.#signal?.removeEventListener("abort", this.#aborted);
    return true;
  }
}

const ENCODER = new TextEncoder();

async function receive(input: string | URL | Request, init: RequestInit): Promise<Received> {
  const from = input instanceof Request ? input : undefined;
  const url = new URL(from === undefined ? String(input) : from.url);
  const method = (init.method ?? from?.method ?? "GET").toUpperCase();
  const headers = Object.fromEntries(new Headers(init.headers ?? from?.headers));
  // Text is by far the commonest; reading it as a stream would cost several turns.
  const body = typeof init.body === "string" ? init.body : await new Response(init.body ?? from?.body ?? "").text();
  return { method, path: url.pathname, headers, body };
}
