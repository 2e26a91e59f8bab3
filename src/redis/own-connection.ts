import { MissingPeerError, type Runtime, type Timer } from "../core/index.ts";
import { type Connection, notConnected, type RedisClient, reasonOf, type Send } from "./client.ts";

/** A client that nobody else uses. */
export interface OwnClient extends RedisClient {
  readonly isOpen: boolean;
  connect(): Promise<unknown>;
  destroy(): void;
  ref(): void;
  unref(): void;
  on(event: "error", listener: (error: unknown) => void): unknown;
  on(event: "connect", listener: () => void): unknown;
  subscribe(channel: string, listener: (message: string) => void): Promise<unknown>;
}

/** What a client that is used here has to be made with, beside its address. */
export interface OwnClientOptions {
  readonly disableOfflineQueue: true;
  readonly socket: { readonly connectTimeout: number; readonly reconnectStrategy: false };
}

export type MakeClient = (options: OwnClientOptions) => OwnClient | Promise<OwnClient>;

/** Makes clients of the server at `url`, for the part that `neededBy` names. Rejects with {@link MissingPeerError}. */
export function clientsOf(url: string, neededBy: string): MakeClient {
  return async (options) => {
    const { createClient } = await import("@redis/client").catch((cause: unknown) => {
      throw new MissingPeerError("@redis/client", neededBy, cause);
    });
    return createClient({ url, ...options });
  };
}

const RETRY_FIRST_MS = 50;
// Hits come back soon after the server does.
const RETRY_LONGEST_MS = 1000;

/**
 * A connection that is made in the background and made again whenever it is lost. The library's own reconnecting is
 * switched off: its timers keep the process alive, and it waits for ever on a server that accepts but says nothing.
 */
export class OwnConnection implements Connection {
  readonly firstTry: Promise<void>;
  readonly #runtime: Runtime;
  readonly #timeoutMs: number;
  readonly #send: Send;
  readonly #greet: (client: OwnClient) => unknown;
  #client: OwnClient | undefined;
  #trouble = "no connection yet";
  #missing: MissingPeerError | undefined;
  #connecting = false;
  #handshake: Timer | undefined;
  #retry: Timer | undefined;
  #retries = 0;
  #holders = 0;
  #closed = false;

  /** `greet` is what has to be done first whenever it is made; the connection counts when that has resolved. */
  constructor(make: MakeClient, timeoutMs: number, runtime: Runtime, greet: (client: OwnClient) => unknown = nothing) {
    this.#runtime = runtime;
    this.#greet = greet;
    this.#timeoutMs = timeoutMs;
    this.#send = (_key, command, types) => (this.#client as OwnClient).sendCommand(command, types);
    this.firstTry = this.#start(make);
  }

  get send(): Send | undefined {
    return this.#client?.isReady && !this.#connecting ? this.#send : undefined;
  }

  failure(): Error {
    return this.#missing ?? notConnected(this.#trouble);
  }

  hold(): void {
    if (this.#holders++ === 0) this.#client?.ref();
  }

  release(): void {
    if (--this.#holders === 0) this.#client?.unref();
  }

  giveUp(): void {
    this.#destroy("it stopped answering");
    this.#retryLater();
  }

  close(): void {
    this.#closed = true;
    this.#retry?.cancel();
    this.#destroy("closed");
  }

  async #start(make: MakeClient): Promise<void> {
    try {
      this.#client = await this.#create(make);
    } catch (error) {
      if (error instanceof MissingPeerError) this.#missing = error;
      this.#trouble = reasonOf(error);
      return;
    }
    if (this.#holders === 0) this.#client.unref();
    await this.#connect(this.#client);
  }

  async #create(make: MakeClient): Promise<OwnClient> {
    const client = await make({
      disableOfflineQueue: true,
      socket: { connectTimeout: this.#timeoutMs, reconnectStrategy: false },
    });
    client.on("error", (error: unknown) => {
      if (this.#connecting || client.isOpen) return;
      this.#trouble = reasonOf(error);
      this.#retryLater();
    });
    // The library limits the time for the connection, but not for the server's first words.
    client.on("connect", () => {
      this.#handshake = this.#runtime.clock.background(this.#timeoutMs, () => destroyQuietly(client));
    });
    return client;
  }

  /** One try, never rejecting. */
  async #connect(client: OwnClient): Promise<void> {
    if (this.#closed) return;
    this.#connecting = true;
    let error: unknown;
    try {
      await client.connect();
      await this.#greet(client);
    } catch (reason) {
      error = reason;
    }
    this.#handshake?.cancel();
    this.#connecting = false;
    if (this.#closed) return this.#destroy("closed");
    if (error === undefined && client.isReady) {
      this.#retries = 0;
      return;
    }
    destroyQuietly(client);
    this.#trouble = reasonOf(error);
    this.#retryLater();
  }

  #retryLater(): void {
    if (this.#closed || this.#connecting || this.#retry !== undefined) return;
    const { clock, random } = this.#runtime;
    const longest = Math.min(RETRY_LONGEST_MS, RETRY_FIRST_MS * 2 ** this.#retries++);
    // At least half of it, so that many processes spread out and none comes back at once.
    this.#retry = clock.background(longest * (0.5 + random() / 2), () => {
      this.#retry = undefined;
      if (this.#client !== undefined) void this.#connect(this.#client);
    });
  }

  #destroy(trouble: string): void {
    this.#trouble = trouble;
    // While it is being made it cannot be cut; `#connect` does so when it is there.
    if (this.#client !== undefined && !this.#connecting) destroyQuietly(this.#client);
  }
}

function nothing(): void {}

function destroyQuietly(client: OwnClient): void {
  // It throws when there is nothing to destroy.
  if (client.isOpen) client.destroy();
}
